//! The generated half of the store's protocol: `store/proto` ⇒ `store/src/served/generated`.
//!
//! It is committed, so that building needs neither `protoc` nor a build script.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::{root, say};

const FILES: &[&str] = &["mvccpb.proto", "etcd.proto"];
const SOURCE: &str = "store/proto";
const GENERATED: &str = "store/src/served/generated";

/// Generates the code; with `check`, only says whether what is committed is that.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let made = root().join("target/proto");
    generate(&made)?;
    let committed = root().join(GENERATED);
    let mut stale = Vec::new();
    for file in names(&made)? {
        let new = fs::read(made.join(&file))?;
        if fs::read(committed.join(&file)).ok().as_ref() == Some(&new) {
            continue;
        }
        if !check {
            fs::create_dir_all(&committed)?;
            fs::write(committed.join(&file), new)?;
            say(&format!("wrote {GENERATED}/{file}"));
        }
        stale.push(file);
    }
    if check && !stale.is_empty() {
        bail!(
            "{} in {GENERATED} not what {SOURCE} makes; run `cargo xtask proto`",
            stale.join(", ")
        );
    }
    Ok(())
}

/// Writes the Rust for [`FILES`] into the folder `out`.
fn generate(out: &Path) -> anyhow::Result<()> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    let descriptors = protox::compile(FILES, [root().join(SOURCE)])
        .with_context(|| format!("failed to compile {SOURCE}"))?;
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .disable_comments(["."])
        // The client connects over a socket of its own choice; TCP is not ours to assume.
        .build_transport(false)
        .out_dir(out)
        .compile_fds(descriptors)
        .context("failed to generate")
}

/// The names of the files in `folder`, in order.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #[test]
    fn generated_protocol_is_what_is_committed() {
        super::run(true).unwrap();
    }
}
