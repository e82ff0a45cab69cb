//! The ordered list of objects, and walks over it.

use super::{Context, Cursor, GetResult, Object};
use crate::engine::{ErrorStatus, Staging};
use crate::{Oid, Value};

/// Every object that is answered, in the order of a walk.
///
/// Roots are disjoint: none is a prefix of another.
#[derive(Default)]
pub struct Registry {
    objects: Vec<(&'static [u32], Box<dyn Object>)>,
}

impl Registry {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object below `root`: the OID of a scalar without its `.0`, or of a table.
    ///
    /// # Panics
    /// When a root that is there already is `root`, or a prefix of it, or it of that: a mistake in the code.
    pub fn add(&mut self, root: &'static [u32], object: impl Object + 'static) -> &mut Self {
        let place = self.objects.partition_point(|(other, _)| *other < root);
        let before = place.checked_sub(1).and_then(|at| self.objects.get(at));
        let after = self.objects.get(place);
        let clash = before.is_some_and(|(other, _)| root.starts_with(other))
            || after.is_some_and(|(other, _)| other.starts_with(root));
        assert!(!clash, "two objects at {}", Oid::from(root));
        self.objects.insert(place, (root, Box::new(object)));
        self
    }

    /// Keeps the objects that are in one of `subtrees`.
    pub fn retain_below(&mut self, subtrees: &[Oid]) {
        self.objects.retain(|(root, _)| subtrees.iter().any(|subtree| root.starts_with(subtree)));
    }

    /// The roots of all objects, in order.
    pub fn roots(&self) -> impl Iterator<Item = &'static [u32]> {
        self.objects.iter().map(|(root, _)| *root)
    }

    /// The value of exactly the instance `name`.
    pub fn get(&self, context: Context<'_>, name: &[u32]) -> GetResult {
        let place = self.objects.partition_point(|(root, _)| *root <= name);
        let found = place.checked_sub(1).and_then(|at| self.objects.get(at));
        match found.and_then(|(root, object)| Some((object, name.strip_prefix(*root)?))) {
            Some((object, suffix)) => object.get(context, suffix),
            None => GetResult::NoSuchObject,
        }
    }

    /// Stages a new value of the instance `name`.
    pub(crate) fn set(
        &self,
        staging: &mut Staging<'_>,
        name: &[u32],
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        let place = self.objects.partition_point(|(root, _)| *root <= name);
        let found = place.checked_sub(1).and_then(|at| self.objects.get(at));
        match found.and_then(|(root, object)| Some((object, name.strip_prefix(*root)?))) {
            Some((object, suffix)) => object.set(staging, suffix, value),
            None => Err(ErrorStatus::NotWritable),
        }
    }

    /// The instances greater than `name`, in order.
    ///
    /// One search here, then one step for each [`Walk::next`]: a GETBULK
    /// repeater starts one walk and takes its repetitions from it.
    pub fn walk<'a>(&'a self, context: Context<'a>, name: &[u32]) -> Walk<'a> {
        let place = self.objects.partition_point(|(root, _)| *root <= name);
        let inside = place
            .checked_sub(1)
            .and_then(|at| self.objects.get(at))
            .and_then(|(root, object)| Some((*root, object, name.strip_prefix(*root)?)));
        let mut walk = Walk {
            context,
            objects: self.objects.get(place..).unwrap_or(&[]),
            cursor: None,
            root_len: 0,
            name: Oid::new(),
        };
        if let Some((root, object, suffix)) = inside {
            walk.enter(root, object.as_ref(), suffix);
        }
        walk
    }

    /// The first instance greater than `name`.
    pub fn next(&self, context: Context<'_>, name: &[u32]) -> Option<(Oid, Value)> {
        let mut walk = self.walk(context, name);
        let value = walk.next()?.1;
        Some((walk.name, value))
    }
}

/// Instances in order; see [`Registry::walk`].
pub struct Walk<'a> {
    context: Context<'a>,
    /// The objects after the present one.
    objects: &'a [(&'static [u32], Box<dyn Object>)],
    /// The present object, and how long its root is.
    cursor: Option<Box<dyn Cursor + 'a>>,
    root_len: usize,
    /// The name handed out last.
    name: Oid,
}

impl<'a> Walk<'a> {
    /// The next instance and its value; the name is valid until the next call.
    #[expect(clippy::should_implement_trait, reason = "it lends the name, an Iterator cannot")]
    pub fn next(&mut self) -> Option<(&Oid, Value)> {
        loop {
            if let Some(cursor) = &mut self.cursor {
                self.name.truncate(self.root_len);
                if let Some(value) = cursor.next(&mut self.name) {
                    return Some((&self.name, value));
                }
                self.cursor = None;
            }
            let ((root, object), later) = self.objects.split_first()?;
            self.objects = later;
            self.enter(root, object.as_ref(), &[]);
        }
    }

    fn enter(&mut self, root: &[u32], object: &'a dyn Object, suffix: &[u32]) {
        self.cursor = Some(object.seek(self.context, suffix));
        self.root_len = root.len();
        self.name = Oid::from(root);
    }
}
