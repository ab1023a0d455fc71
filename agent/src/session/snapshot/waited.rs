//! What a group of goroutines waits on, in the words of the program's author.

use hashbrown::HashMap;

use crate::{
    binary::RuntimeAddress,
    report::{Place, Waited, WaitsOn},
    runtime::{Wait, layout::Layouts},
    target::Descriptors,
};

/// Things named for each group.
const NAMED: usize = 10;
/// Things told apart in one group. Where each goroutine waits on its own, as many as these say
/// all there is to say.
const MAX_THINGS: usize = 1 << 13;

/// How many wait on what.
#[derive(Debug, Default)]
pub(in crate::session) struct Things {
    counts: HashMap<Wait, u64>,
    /// Sleepers are counted together: each has its own time.
    sleepers: u64,
    earliest_ns: Option<u64>,
}

impl Things {
    pub(in crate::session) fn count(&mut self, wait: Wait) {
        if let Wait::Timer { at_ns } = wait {
            self.sleepers += 1;
            self.earliest_ns = Some(self.earliest_ns.map_or(at_ns, |known| known.min(at_ns)));
        } else if self.counts.len() < MAX_THINGS {
            *self.counts.entry(wait).or_default() += 1;
        } else if let Some(count) = self.counts.get_mut(&wait) {
            *count += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.sleepers == 0
    }

    /// For reports; the stack tells what a semaphore belongs to.
    pub(in crate::session) fn waited(
        self,
        stack: &[Place],
        layouts: &Layouts,
        now_ns: u64,
        descriptors: &mut Descriptors,
    ) -> Vec<WaitsOn> {
        let owner = Owner::of(stack);
        let mut things: Vec<(Wait, u64)> = self.counts.into_iter().collect();
        things.sort_unstable_by_key(|(wait, count)| (std::cmp::Reverse(*count), order(*wait)));
        things.truncate(NAMED);
        let mut waits_on: Vec<WaitsOn> = things
            .into_iter()
            .map(|(wait, count)| WaitsOn {
                count,
                what: waited(wait, owner, layouts, now_ns, descriptors),
            })
            .collect();
        if let Some(at_ns) = self.earliest_ns {
            let what = waited(Wait::Timer { at_ns }, owner, layouts, now_ns, descriptors);
            waits_on.push(WaitsOn {
                count: self.sleepers,
                what,
            });
        }
        waits_on
    }
}

fn order(wait: Wait) -> u64 {
    match wait {
        Wait::Channel { address, .. }
        | Wait::Semaphore { address }
        | Wait::Condition { address } => address.0,
        Wait::Timer { at_ns } => at_ns,
        Wait::Descriptor { fd, .. } => fd,
        Wait::NilChannel => 0,
    }
}

fn waited(
    wait: Wait,
    owner: Option<Owner>,
    layouts: &Layouts,
    now_ns: u64,
    descriptors: &mut Descriptors,
) -> Waited {
    match wait {
        Wait::Channel {
            address,
            length,
            capacity,
            ..
        } => Waited::Channel {
            address: address.to_string(),
            length,
            capacity,
        },
        Wait::NilChannel => Waited::NilChannel,
        Wait::Semaphore { address } => match owner {
            Some(owner) => owner.waited(address, layouts),
            None => Waited::Semaphore {
                address: address.to_string(),
            },
        },
        Wait::Condition { address } => {
            let inside = layouts.offset("sync.Cond", "notify").unwrap_or(0);
            let condition = RuntimeAddress(address.0.saturating_sub(inside.into()));
            Waited::Cond {
                address: condition.to_string(),
            }
        }
        Wait::Timer { at_ns } => Waited::Timer {
            wakes_in_seconds: (i128::from(at_ns) - i128::from(now_ns)) as f64 / 1e9,
        },
        Wait::Descriptor { fd, .. } => {
            let known = descriptors.describe(fd);
            let (protocol, local, remote) = known.map_or((None, None, None), |known| {
                (Some(known.protocol), known.local, known.remote)
            });
            Waited::Network {
                fd,
                protocol,
                local,
                remote,
            }
        }
    }
}

/// What a semaphore is part of, by the method that waits on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Mutex,
    /// The mutex inside of an `RWMutex`, which writers take first.
    WriterMutex,
    Writer,
    Reader,
    WaitGroup,
}

impl Owner {
    /// From the library's own calls that lead to the park.
    fn of(stack: &[Place]) -> Option<Self> {
        let mut in_mutex = false;
        for place in stack {
            let call = place.function.as_str();
            match call {
                "sync.(*WaitGroup).Wait" => return Some(Self::WaitGroup),
                "sync.(*RWMutex).RLock" => return Some(Self::Reader),
                "sync.(*RWMutex).Lock" if in_mutex => return Some(Self::WriterMutex),
                "sync.(*RWMutex).Lock" => return Some(Self::Writer),
                _ if call.contains("sync.(*Mutex).") => in_mutex = true,
                // What leads to the runtime, such as `sync.runtime_SemacquireMutex`.
                _ if call.contains("sync.runtime_") => {}
                _ => break,
            }
        }
        in_mutex.then_some(Self::Mutex)
    }

    /// The owner's own address, from that of its semaphore. Where the offset between them is not
    /// known the semaphore's stands.
    fn waited(self, semaphore: RuntimeAddress, layouts: &Layouts) -> Waited {
        let offset = |name, field| layouts.offset(name, field).ok();
        // From Go 1.24 on `sync.Mutex` wraps another.
        let mutex = || {
            let wrapped = offset("sync.Mutex", "mu").zip(offset("internal/sync.Mutex", "sema"));
            wrapped
                .map(|(mu, sema)| mu + sema)
                .or_else(|| offset("sync.Mutex", "sema"))
        };
        let inside = match self {
            Self::Mutex => mutex(),
            Self::WriterMutex => offset("sync.RWMutex", "w").zip(mutex()).map(|(w, m)| w + m),
            Self::Writer => offset("sync.RWMutex", "writerSem"),
            Self::Reader => offset("sync.RWMutex", "readerSem"),
            // `state2` before Go 1.20.
            Self::WaitGroup => {
                offset("sync.WaitGroup", "sema").or_else(|| offset("sync.WaitGroup", "state2"))
            }
        };
        let Some(inside) = inside else {
            return Waited::Semaphore {
                address: semaphore.to_string(),
            };
        };
        let address = RuntimeAddress(semaphore.0.saturating_sub(inside.into())).to_string();
        match self {
            Self::Mutex => Waited::Mutex { address },
            Self::WriterMutex | Self::Writer | Self::Reader => Waited::RwMutex { address },
            Self::WaitGroup => Waited::WaitGroup { address },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::Architecture;

    fn stack(functions: &[&str]) -> Vec<Place> {
        functions
            .iter()
            .map(|function| Place {
                function: (*function).into(),
                file: None,
                line: None,
            })
            .collect()
    }

    #[test]
    fn the_method_tells_whose_semaphore_it_is() {
        let owner = |functions: &[&str]| Owner::of(&stack(functions));
        assert_eq!(
            owner(&[
                "internal/sync.runtime_SemacquireMutex",
                "internal/sync.(*Mutex).lockSlow",
                "internal/sync.(*Mutex).Lock",
                "sync.(*Mutex).Lock",
                "main.main"
            ]),
            Some(Owner::Mutex)
        );
        let write = [
            "sync.(*Mutex).lockSlow",
            "sync.(*Mutex).Lock",
            "sync.(*RWMutex).Lock",
        ];
        assert_eq!(owner(&write), Some(Owner::WriterMutex));
        let write = ["sync.runtime_SemacquireRWMutex", "sync.(*RWMutex).Lock"];
        assert_eq!(owner(&write), Some(Owner::Writer));
        let wait = [
            "sync.runtime_Semacquire",
            "sync.(*WaitGroup).Wait",
            "main.f",
        ];
        assert_eq!(owner(&wait), Some(Owner::WaitGroup));
        let once = ["sync.(*Mutex).Lock", "sync.(*Once).doSlow", "main.f"];
        assert_eq!(owner(&once), Some(Owner::Mutex));
        assert_eq!(owner(&["internal/poll.runtime_Semacquire", "main.f"]), None);
        assert_eq!(owner(&[]), None);
    }

    #[test]
    fn the_address_is_the_owners() {
        for minor in [18, 24] {
            let layouts =
                Layouts::for_binary(&[], minor, Architecture::X86_64).expect("a known release");
            let of = |owner: Owner| owner.waited(RuntimeAddress(0x1010), &layouts);
            let address = |address: &str| address.to_owned();
            assert_eq!(
                of(Owner::Mutex),
                Waited::Mutex {
                    address: address("0x100c")
                }
            );
            assert_eq!(
                of(Owner::Reader),
                Waited::RwMutex {
                    address: address("0x1004")
                }
            );
            assert_eq!(
                of(Owner::WaitGroup),
                Waited::WaitGroup {
                    address: address("0x1008")
                }
            );
        }
    }

    #[test]
    fn those_on_which_most_wait_come_first_and_sleepers_together() {
        let layouts = Layouts::for_binary(&[], 24, Architecture::X86_64).expect("a known release");
        let mut things = Things::default();
        for address in 0..20 {
            let channel = Wait::Channel {
                address: RuntimeAddress(0x1000 + address),
                length: 0,
                capacity: 1,
                element_size: 8,
            };
            (0..=address).for_each(|_| things.count(channel));
        }
        for at_ns in [9_000_000_000, 7_000_000_000] {
            things.count(Wait::Timer { at_ns });
        }
        let waited = things.waited(&[], &layouts, 4_000_000_000, &mut Descriptors::none());
        assert_eq!(waited.len(), NAMED + 1);
        assert_eq!(waited[0].count, 20);
        assert_eq!(
            waited[NAMED],
            WaitsOn {
                count: 2,
                what: Waited::Timer {
                    wakes_in_seconds: 3.0
                }
            }
        );
    }
}
