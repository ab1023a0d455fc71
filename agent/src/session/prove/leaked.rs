//! The proven goroutines in groups, and what they retain.

use hashbrown::HashMap;

use super::{
    ProveError, describe,
    describe::Moment,
    prover::Done,
    verdicts::{Verdict, sentence, verdicts},
};
use crate::{
    binary::RuntimeAddress,
    memory::MemoryReader,
    proof::{GROUPS, ProofError, Retained, Retention, Watch},
    report::{Doubt, Ground, Group, LeakedGroup, Proof, Shared, Unknown, UnprovenGroup},
    runtime::Goroutine,
    session::patterns,
};

/// Lists of groups, and what those that are proven share.
pub(super) struct Lists {
    pub(super) candidates: u64,
    /// With the pc behind the `go` statement.
    pub(super) leaked: Vec<(RuntimeAddress, LeakedGroup)>,
    pub(super) shared: Shared,
    pub(super) unproven: Vec<UnprovenGroup>,
}

/// Puts together what the last pass, and all before it, say.
pub(super) fn lists<M: MemoryReader>(
    done: &mut Done<'_, '_, M>,
    moment: Moment,
    watch: &mut dyn Watch,
) -> Result<Lists, ProofError> {
    let verdicts = verdicts(done);
    let mut places = HashMap::new();
    let mut wanted = Vec::new();
    let mut of = HashMap::new();
    for (place, verdict) in &verdicts {
        let member = &done.roots.roster().goroutines[*place as usize];
        places.insert(member.goid, *place);
        of.insert(member.goid, *verdict);
        wanted.push((member.address, member.goid));
    }
    let mut kinds: Vec<(Verdict, Vec<Goroutine>)> = Vec::new();
    let mut created = HashMap::new();
    for goroutine in describe::read(done.prover, &wanted)? {
        // Who was read only now, and waits for something else by now, says nothing.
        let Some(verdict) = of.get(&goroutine.goid).copied() else {
            continue;
        };
        created.insert(goroutine.goid, goroutine.created_at);
        match kinds.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, goroutines)) => goroutines.push(goroutine),
            None => kinds.push((verdict, vec![goroutine])),
        }
    }
    let mut leaked = Vec::new();
    let mut unproven = Vec::new();
    for (verdict, goroutines) in kinds {
        let groups = describe::groups(done.prover, moment, goroutines);
        match verdict {
            Verdict::Leaked(ground) => leaked.extend(groups.into_iter().map(|g| (g, ground))),
            Verdict::Unproven(doubt) => {
                unproven.extend(groups.into_iter().map(|g| not_proven(done, g, doubt)));
            }
        }
    }
    // Those told apart are the largest.
    leaked.sort_by_key(|(group, _)| std::cmp::Reverse(group.count));
    let retained = retained(done, &leaked, &places, watch)?;
    let shared_by = retained.together.iter().filter(|held| held.objects > 0);
    Ok(Lists {
        candidates: verdicts.len() as u64,
        shared: Shared {
            bytes: retained.shared.bytes,
            objects: retained.shared.objects,
            groups: shared_by.count() as u64,
        },
        leaked: (0..)
            .zip(leaked)
            .map(|(index, (group, ground))| {
                let site = group.goids.first().and_then(|goid| created.get(goid));
                let site = site.copied().unwrap_or(RuntimeAddress(0));
                (site, proven(done, group, ground, &retained, index))
            })
            .collect(),
        unproven,
    })
}

fn retained<M: MemoryReader>(
    done: &mut Done<'_, '_, M>,
    leaked: &[(Group, Ground)],
    places: &HashMap<u64, u32>,
    watch: &mut dyn Watch,
) -> Result<Retained, ProofError> {
    let Done {
        pass,
        roots,
        objects,
        ..
    } = done;
    let mut retention = Retention::new(&pass.marks);
    for (group, _) in leaked {
        let members: Vec<u32> = group
            .goids
            .iter()
            .filter_map(|goid| places.get(goid).copied())
            .collect();
        let words = roots.held(&members)?;
        retention.add(objects, &words, watch)?;
    }
    Ok(retention.finish())
}

fn proven<M: MemoryReader>(
    done: &Done<'_, '_, M>,
    group: Group,
    proof: Ground,
    retained: &Retained,
    index: usize,
) -> LeakedGroup {
    let blocked_at = blocked_at(done, &group);
    let mut unknown = known_fields(group.unknown);
    // The last bit stands for all groups behind it.
    let is_alone = index + 1 < GROUPS || retained.alone.len() < GROUPS;
    let held = |held: &[crate::proof::Held]| held.get(index).copied().filter(|_| is_alone);
    let alone = held(&retained.alone);
    if alone.is_none() {
        let reason = format!("only of the {} largest groups", GROUPS - 1);
        for field in ["retained_bytes", "retained_objects", "shared_bytes"] {
            unknown.insert(field, reason.clone());
        }
    }
    LeakedGroup {
        blocked_at,
        count: group.count,
        wait_reason: group.wait_reason,
        created_at: group.created_at,
        start: group.start,
        stack: group.stack,
        waits_on: group.waits_on,
        retained_bytes: alone.map(|held| held.bytes),
        retained_objects: alone.map(|held| held.objects),
        shared_bytes: held(&retained.together).map(|held| held.bytes),
        stack_bytes: group.stack_bytes,
        oldest_seconds: group.oldest_seconds,
        labels: group.labels,
        goids: group.goids,
        proof,
        unknown,
    }
}

fn not_proven<M: MemoryReader>(
    done: &Done<'_, '_, M>,
    group: Group,
    reason: Doubt,
) -> UnprovenGroup {
    UnprovenGroup {
        blocked_at: blocked_at(done, &group),
        count: group.count,
        wait_reason: group.wait_reason,
        created_at: group.created_at,
        start: group.start,
        stack: group.stack,
        oldest_seconds: group.oldest_seconds,
        goids: group.goids,
        reason,
        sentence: sentence(reason).into(),
        unknown: known_fields(group.unknown),
    }
}

/// Reasons for fields that a proof has too.
pub(super) fn known_fields(unknown: Unknown) -> Unknown {
    const FIELDS: [&str; 5] = [
        "wait_reason",
        "stack",
        "oldest_seconds",
        "labels",
        "waits_on",
    ];
    let has = |(field, _): &(&'static str, _)| FIELDS.contains(field);
    unknown.into_iter().filter(has).collect()
}

fn blocked_at<M: MemoryReader>(
    done: &Done<'_, '_, M>,
    group: &Group,
) -> Option<crate::report::Place> {
    let module = done.prover.program.binary.build_info().main_module.as_ref();
    let stack = group.stack.as_deref()?;
    patterns::blocked_in(stack, module.map(|module| module.path.as_str()))
}

impl Lists {
    /// Puts them into `proof`.
    pub(super) fn fill(self, proof: &mut Proof) {
        proof.candidates = self.candidates;
        proof.leaked = self.leaked.into_iter().map(|(_, group)| group).collect();
        proof.shared = self.shared;
        proof.unproven = self.unproven;
    }
}

impl From<crate::memory::MemoryError> for ProveError {
    fn from(error: crate::memory::MemoryError) -> Self {
        Self::Proof(error.into())
    }
}
