//! Facts of the MIB modules in `modules/`, as Rust tables.

/// The readable columns of a conceptual table.
///
/// Generated for each table; a handler that matches on it does not compile
/// until it answers a column that a module gains.
pub trait Column: Copy + Eq + std::fmt::Debug + Send + Sync + 'static {
    /// All of them, in the order of a walk.
    const ALL: &'static [Self];

    /// The last sub-identifier of the column's OID.
    fn sub_id(self) -> u32;

    /// The column with that sub-identifier, if it is readable.
    fn from_sub_id(sub_id: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|column| column.sub_id() == sub_id)
    }
}
