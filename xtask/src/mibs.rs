//! `cargo xtask mibs`: Rust tables from the modules in `mibs/modules/`.
//!
//! The tables are committed, so that a build needs no tool; a test makes them
//! again and compares.

mod lexer;
mod parser;
mod resolve;
mod rust;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use parser::Module;

/// Writes the tables; with `check`, only compares them with what is committed.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let mibs = crate::root().join("mibs");
    let modules = read_modules(&mibs.join("modules"))?;
    let folder = mibs.join("src/generated");
    let files = generate(&modules)?;
    for (name, text) in &files {
        let path = folder.join(name);
        let committed = fs::read_to_string(&path).unwrap_or_default();
        if committed == *text {
            continue;
        }
        if check {
            bail!("{} is not what `cargo xtask mibs` makes", path.display());
        }
        fs::create_dir_all(&folder)?;
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            bail!("{} belongs to no module; delete it", path.display());
        }
    }
    Ok(())
}

/// All modules of `folder`, by name.
fn read_modules(folder: &Path) -> anyhow::Result<BTreeMap<String, Module>> {
    let mut modules = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let module =
            parser::parse(&text).with_context(|| format!("{} is not a module", path.display()))?;
        modules.insert(module.name.clone(), module);
    }
    Ok(modules)
}

/// The generated files, by name: one a module that defines objects or capabilities, and `mod.rs`.
fn generate(modules: &BTreeMap<String, Module>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut names = Vec::new();
    for module in modules.values() {
        let resolved = resolve::resolve(module, modules)
            .with_context(|| format!("failed to resolve {}", module.name))?;
        if resolved.objects.is_empty() && resolved.capabilities.is_empty() {
            continue;
        }
        let name = module.name.to_lowercase().replace('-', "_");
        files.insert(format!("{name}.rs"), rust::file(&resolved));
        names.push((name, module.name.clone()));
    }
    files.insert("mod.rs".to_owned(), rust::index(&names));
    Ok(files)
}

#[cfg(test)]
mod tests;
