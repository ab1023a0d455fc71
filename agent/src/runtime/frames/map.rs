//! What a frame at one pc holds, looked up once for each pc.

use std::{collections::HashMap, sync::Arc};

use super::Reason;
use crate::{
    binary::{
        Function, GoBinary, LinkAddress, LoadBias, PointerMap, RuntimeAddress, StackData,
        StackObject, bytes::slice_at,
    },
    runtime::unwind::Frame,
};

/// Pcs that are remembered. A program parks in a few hundred functions; stacks of garbage could
/// have any number.
const MAX_PCS: usize = 1 << 16;
/// Places of pointers that are remembered: 32 MiB of them.
const MAX_PLACES: usize = 1 << 22;
/// Beyond so many places of pointers in the variables of one function, all words of the others
/// count.
const MAX_POINTERS: usize = 1 << 18;

/// Functions that the runtime puts on a stack by a signal (`isInjectedCall` in
/// `src/runtime/traceback.go`). What they interrupted is at no safe point, and its registers are in
/// the frame of the function that interrupts.
const INJECTED: [&str; 3] = [
    "runtime.asyncPreempt",
    "runtime.sigpanic",
    "runtime.debugCallV2",
];

/// A frame at one pc. All places are bytes from its stack pointer.
#[derive(Clone, Debug)]
pub(super) struct FrameMap {
    pub(super) frame: Frame,
    /// Of its arguments, which begin behind the return address.
    pub(super) argument_bytes: u64,
    pub(super) words: FrameWords,
}

/// Which words of a frame and of its arguments are live.
#[derive(Clone, Debug)]
pub(super) enum FrameWords {
    /// Those.
    Precise {
        live: Box<[u64]>,
        /// Variables that are live when something leads to them.
        objects: Box<[(u64, Arc<ObjectMap>)]>,
    },
    /// Any. So are those of the frame behind: where the arguments are not known, they are in there, and
    /// what was interrupted has no map.
    Any(Reason),
}

/// The pointers in a variable.
#[derive(Clone, Debug)]
pub(super) struct ObjectMap {
    /// In bytes.
    pub(super) size: u64,
    /// Where they are, in bytes; `None`: anywhere.
    pub(super) live: Option<Box<[u64]>>,
}

/// The frames of one program.
#[derive(Debug)]
pub(super) struct FrameMaps {
    binary: Arc<GoBinary>,
    bias: LoadBias,
    known: HashMap<RuntimeAddress, Option<Arc<FrameMap>>>,
    /// In all of what is known.
    places: usize,
    /// By the place of the function in the table.
    objects: HashMap<u32, Option<Objects>>,
}

/// With the offsets of their records.
type Objects = Arc<[(i32, Arc<ObjectMap>)]>;

impl FrameMaps {
    pub(super) fn new(binary: Arc<GoBinary>, bias: LoadBias) -> Self {
        Self {
            binary,
            bias,
            known: HashMap::new(),
            places: 0,
            objects: HashMap::new(),
        }
    }

    /// The program.
    pub(super) fn binary(&self) -> &GoBinary {
        &self.binary
    }

    /// The frame that will go on at `pc`; `None` where no function, or not the size of its frame, is
    /// known.
    pub(super) fn at(&mut self, pc: RuntimeAddress) -> Option<Arc<FrameMap>> {
        if let Some(known) = self.known.get(&pc) {
            return known.clone();
        }
        if self.known.len() >= MAX_PCS || self.places >= MAX_PLACES {
            self.known.clear();
            self.objects.clear();
            self.places = 0;
        }
        let map = self.look_up(self.bias.to_link(pc)).map(Arc::new);
        if let Some(FrameWords::Precise { live, objects }) = map.as_ref().map(|map| &map.words) {
            self.places += live.len() + objects.len();
        }
        self.known.insert(pc, map.clone());
        map
    }

    fn look_up(&mut self, pc: LinkAddress) -> Option<FrameMap> {
        let binary = Arc::clone(&self.binary);
        let function = binary.pclntab().function_at(pc)?;
        let frame = Frame::of(&function, pc).filter(|frame| frame.size.is_multiple_of(8))?;
        let words = self.words(&function, frame, pc);
        Some(FrameMap {
            frame,
            argument_bytes: function.argument_bytes().unwrap_or(0),
            words: words.unwrap_or_else(FrameWords::Any),
        })
    }

    /// As `getStackMap` in `src/runtime/stkframe.go`, or why not.
    fn words(
        &mut self,
        function: &Function<'_>,
        Frame { size, .. }: Frame,
        pc: LinkAddress,
    ) -> Result<FrameWords, Reason> {
        let name = function.name().map_err(|_| Reason::Damaged)?;
        if INJECTED.contains(&name) {
            return Err(Reason::Interrupted);
        }
        let argument_bytes = function.argument_bytes().ok_or(Reason::Reflected)?;
        let index = function.stack_map_index(pc).ok_or(Reason::Damaged)?;
        // The topmost word of a frame is the caller's frame pointer. One whose size is 0 has not
        // been made yet.
        let top = size.saturating_sub(8);
        let mut live = Vec::new();
        if top > 0 {
            let map = known(function.locals_map(index))?;
            let begin = top.checked_sub(map.words * 8).ok_or(Reason::Damaged)?;
            live.extend(map.pointers().map(|word| begin + word * 8));
        }
        let arguments = size + 8;
        if argument_bytes >= 8 {
            let map = known(function.arguments_map(index))?;
            live.extend(map.pointers().map(|word| arguments + word * 8));
        }
        let mut objects = Vec::new();
        for (offset, object) in self.objects_of(function).ok_or(Reason::Damaged)?.iter() {
            let base = if *offset < 0 { top } else { arguments };
            // Below the stack pointer: the frame has not been made yet.
            if let Some(begin) = base.checked_add_signed(i64::from(*offset)) {
                if begin % 8 != 0 {
                    return Err(Reason::Damaged);
                }
                objects.push((begin, Arc::clone(object)));
            }
        }
        Ok(FrameWords::Precise {
            live: live.into(),
            objects: objects.into(),
        })
    }

    fn objects_of(&mut self, function: &Function<'_>) -> Option<Objects> {
        let Self {
            objects,
            binary,
            places,
            ..
        } = self;
        let read = || match function.stack_objects() {
            StackData::Missing => Some([].into()),
            StackData::Damaged => None,
            StackData::Known(records) => {
                let mut left = MAX_POINTERS;
                let maps = records.iter().map(|record| {
                    let object = object(binary, *record, left);
                    left -= object.live.as_ref().map_or(0, |live| live.len());
                    (record.offset, Arc::new(object))
                });
                let maps = maps.collect();
                *places += MAX_POINTERS - left;
                Some(maps)
            }
        };
        objects.entry(function.index()).or_insert_with(read).clone()
    }
}

fn known<T>(data: StackData<T>) -> Result<T, Reason> {
    match data {
        StackData::Known(data) => Ok(data),
        StackData::Missing => Err(Reason::NoMaps),
        StackData::Damaged => Err(Reason::Damaged),
    }
}

/// The pointer map of a variable, which is in the file (`(*stackObjectRecord).gcdata` in
/// `src/runtime/stack.go`), with `left` pointers at most.
fn object(binary: &GoBinary, record: StackObject, left: usize) -> ObjectMap {
    let size = u64::from(record.size);
    let live = || {
        // Negative before Go 1.24: a program. All of it counts then, and if the map is damaged.
        let words = u64::try_from(record.pointer_bytes).ok()?.div_ceil(8);
        if words > left as u64 || words > size.div_ceil(8) {
            return None;
        }
        let at = binary.module_data().rodata.checked_add(record.map.into())?;
        let bits = slice_at(binary.elf().tail_at(at)?, 0, words.div_ceil(8))?;
        let map = PointerMap::new(words, bits)?;
        Some(map.pointers().map(|word| word * 8).collect())
    };
    ObjectMap { size, live: live() }
}
