//! Faults that tests put into the code that reads stores, to see that they are noticed.
//!
//! They hold for the thread that asks for them. Faults in what is written are
//! those of a file layer, and need nothing here.

use std::cell::Cell;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadFault {
    /// Records are taken whatever their checksum is.
    SkipChecksum,
    /// The high-water mark is read and not heeded.
    IgnoreMark,
}

thread_local! {
    static FAULT: Cell<Option<ReadFault>> = const { Cell::new(None) };
}

/// Puts `fault` into this thread, or takes it out again.
pub(crate) fn set(fault: Option<ReadFault>) {
    FAULT.set(fault);
}

pub(crate) fn has(fault: ReadFault) -> bool {
    FAULT.get() == Some(fault)
}
