//! Names to numbers: OIDs, and types down to what is sent.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};

use super::parser::{Body, Definition, Module, Type};

/// A module with every name resolved, its objects in the order of their OIDs.
pub(crate) struct Resolved {
    pub(crate) name: String,
    pub(crate) objects: Vec<Object>,
    pub(crate) notifications: Vec<Named>,
    pub(crate) groups: Vec<Named>,
    pub(crate) compliances: Vec<Compliance>,
    pub(crate) capabilities: Vec<Capabilities>,
}

pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) oid: Vec<u32>,
    pub(crate) kind: Kind,
    pub(crate) syntax: Syntax,
    pub(crate) access: String,
    pub(crate) status: String,
    pub(crate) units: Option<String>,
    pub(crate) default: Option<String>,
    /// Descriptors of the index objects, for an entry.
    pub(crate) index: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Scalar,
    Table,
    Entry,
    Column,
}

/// A type down to what is sent.
#[derive(Clone)]
pub(crate) struct Syntax {
    pub(crate) base: &'static str,
    pub(crate) convention: Option<String>,
    pub(crate) ranges: Vec<(i128, i128)>,
    pub(crate) labels: Vec<(String, i128)>,
}

/// A definition that is a list of names.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) oid: Vec<u32>,
    pub(crate) status: String,
    pub(crate) members: Vec<String>,
}

pub(crate) struct Compliance {
    pub(crate) name: String,
    pub(crate) oid: Vec<u32>,
    pub(crate) status: String,
    pub(crate) mandatory: Vec<String>,
    pub(crate) conditional: Vec<String>,
}

pub(crate) struct Capabilities {
    pub(crate) name: String,
    pub(crate) oid: Vec<u32>,
    pub(crate) groups: Vec<String>,
    pub(crate) variations: Vec<(String, String)>,
}

/// Resolves `module` among `modules`.
pub(crate) fn resolve(
    module: &Module,
    modules: &BTreeMap<String, Module>,
) -> anyhow::Result<Resolved> {
    let names = Names { modules };
    let mut resolved = Resolved {
        name: module.name.clone(),
        objects: Vec::new(),
        notifications: Vec::new(),
        groups: Vec::new(),
        compliances: Vec::new(),
        capabilities: Vec::new(),
    };
    for definition in &module.definitions {
        let oid = names.oid(module, &definition.name)?;
        add(&mut resolved, &names, module, definition, oid)
            .with_context(|| definition.name.clone())?;
    }
    resolved.objects.sort_by(|a, b| a.oid.cmp(&b.oid));
    set_kinds(&mut resolved.objects)?;
    Ok(resolved)
}

fn add(
    resolved: &mut Resolved,
    names: &Names<'_>,
    module: &Module,
    definition: &Definition,
    oid: Vec<u32>,
) -> anyhow::Result<()> {
    let name = definition.name.clone();
    let status = definition.status.clone();
    match &definition.body {
        Body::Node => {}
        Body::Object { syntax, units, access, index, augments, default } => {
            let mut index = index.clone();
            if let Some(augmented) = augments {
                index = names.index_of(module, augmented)?;
            }
            resolved.objects.push(Object {
                syntax: names.syntax(module, syntax, &index)?,
                kind: Kind::Scalar,
                access: access.clone(),
                units: units.clone(),
                default: default.clone(),
                name,
                oid,
                status,
                index,
            });
        }
        Body::Notification { objects } => {
            resolved.notifications.push(Named { name, oid, status, members: objects.clone() });
        }
        Body::Group { members } => {
            resolved.groups.push(Named { name, oid, status, members: members.clone() });
        }
        Body::Compliance { mandatory, conditional } => resolved.compliances.push(Compliance {
            name,
            oid,
            status,
            mandatory: mandatory.clone(),
            conditional: conditional.clone(),
        }),
        Body::Capabilities { groups, variations } => resolved.capabilities.push(Capabilities {
            name,
            oid,
            groups: groups.clone(),
            variations: variations.clone(),
        }),
    }
    Ok(())
}

/// Tells tables, entries, columns and scalars apart.
fn set_kinds(objects: &mut [Object]) -> anyhow::Result<()> {
    let mut entry: Option<Vec<u32>> = None;
    for object in objects {
        let below_entry = entry.as_ref().is_some_and(|entry| object.oid.starts_with(entry));
        object.kind = match object.syntax.base {
            "Table" => Kind::Table,
            "Entry" => {
                entry = Some(object.oid.clone());
                Kind::Entry
            }
            _ if below_entry => Kind::Column,
            _ => Kind::Scalar,
        };
        if object.kind == Kind::Entry && object.index.is_empty() {
            bail!("{} has no index", object.name);
        }
    }
    Ok(())
}

struct Names<'a> {
    modules: &'a BTreeMap<String, Module>,
}

/// How deep a chain of names may be; deeper ones are circles.
const DEPTH_MAX: usize = 40;

impl<'a> Names<'a> {
    /// The module that `symbol` of `module` comes from.
    fn home(&self, module: &'a Module, symbol: &str) -> anyhow::Result<&'a Module> {
        let Some(from) = module.imports.get(symbol) else { return Ok(module) };
        self.modules.get(from).with_context(|| format!("module {from} is not here"))
    }

    fn definition(
        &self,
        module: &'a Module,
        name: &str,
    ) -> anyhow::Result<(&'a Module, &'a Definition)> {
        let home = self.home(module, name)?;
        let found = home.definitions.iter().find(|definition| definition.name == name);
        Ok((home, found.with_context(|| format!("{name} is not defined in {}", home.name))?))
    }

    fn oid(&self, module: &'a Module, name: &str) -> anyhow::Result<Vec<u32>> {
        let mut tail = Vec::new();
        let mut module = module;
        let mut name = name;
        for _ in 0..DEPTH_MAX {
            let root = match name {
                "" => Some(None),
                "iso" => Some(Some(1)),
                _ => None,
            };
            if let Some(root) = root {
                return Ok(root.into_iter().chain(tail.into_iter().rev()).collect());
            }
            let (home, definition) = self.definition(module, name)?;
            tail.extend(definition.sub_ids.iter().rev());
            module = home;
            name = &definition.parent;
        }
        bail!("{name} is defined in a circle");
    }

    fn index_of(&self, module: &'a Module, entry: &str) -> anyhow::Result<Vec<String>> {
        match &self.definition(module, entry)?.1.body {
            Body::Object { index, .. } => Ok(index.clone()),
            other => bail!("{entry} is {other:?}, which has no index"),
        }
    }

    fn syntax(
        &self,
        module: &'a Module,
        syntax: &Type,
        index: &[String],
    ) -> anyhow::Result<Syntax> {
        let named = |base| Syntax { base, convention: None, ranges: vec![], labels: vec![] };
        if syntax.name == "SEQUENCE OF" {
            return Ok(named("Table"));
        }
        if !index.is_empty() {
            return Ok(named("Entry"));
        }
        let mut module = module;
        let mut resolved = Syntax {
            base: "",
            convention: None,
            ranges: syntax.ranges.clone(),
            labels: syntax.labels.clone(),
        };
        let mut name = syntax.name.as_str();
        for _ in 0..DEPTH_MAX {
            if let Some(base) = base(name) {
                resolved.base = base;
                return Ok(resolved);
            }
            resolved.convention.get_or_insert_with(|| name.to_owned());
            module = self.home(module, name)?;
            let next = module
                .types
                .get(name)
                .with_context(|| format!("type {name} is not defined in {}", module.name))?;
            if resolved.ranges.is_empty() {
                resolved.ranges.clone_from(&next.ranges);
            }
            if resolved.labels.is_empty() {
                resolved.labels.clone_from(&next.labels);
            }
            name = &next.name;
        }
        bail!("type {name} is defined in a circle");
    }
}

/// The base type that `name` is, by its name in `mibs::Base`.
fn base(name: &str) -> Option<&'static str> {
    Some(match name {
        "INTEGER" | "Integer32" => "Integer32",
        "OCTET STRING" => "OctetString",
        "OBJECT IDENTIFIER" => "ObjectIdentifier",
        "BITS" => "Bits",
        "IpAddress" => "IpAddress",
        "Counter32" => "Counter32",
        "Gauge32" => "Gauge32",
        "Unsigned32" => "Unsigned32",
        "TimeTicks" => "TimeTicks",
        "Counter64" => "Counter64",
        _ => return None,
    })
}
