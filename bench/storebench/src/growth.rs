//! Disk while bindings are renewed for a long time.

use std::path::Path;
use std::time::{Duration, Instant};

use store::{Batch, Class, OpenOptions, Store, StoreUrl};

use crate::usage::commas;
use crate::{Done, rows};

const RENEWALS_A_SECOND: u64 = 1000;
const SAMPLE_EVERY: u64 = 10;

pub fn run(folder: &Path, seconds: u64, bindings: u64) -> Done<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let url = StoreUrl::Sled(folder.join("growth"));
        let store = Store::open(&url, OpenOptions::default()).await?;
        fill(&store, bindings).await?;
        store.checkpoint().await?;
        let begun = used(&store);
        let samples = renew(&store, seconds, bindings).await?;
        store.close().await;
        let (early, late) = samples.split_at(samples.len() / 2);
        let most =
            |samples: &[u64]| commas(samples.iter().max().copied().unwrap_or(0) as f64 / 1e6);
        println!(
            "| {} bindings, {RENEWALS_A_SECOND} renewals/s for {seconds} s | MB |\n|---|---|",
            commas(bindings as f64)
        );
        println!("| one checkpoint, no journal | {} |", commas(begun as f64 / 1e6));
        println!("| most in the first half | {} |", most(early));
        println!("| most in the second half | {} |", most(late));
        println!("| at the end | {} |", commas(samples.last().copied().unwrap_or(0) as f64 / 1e6));
        Ok(())
    })
}

async fn fill(store: &Store, bindings: u64) -> Done<()> {
    let numbers: Vec<u32> = (0..u32::try_from(bindings)?).collect();
    for some in numbers.chunks(1000) {
        let mut batch = Batch::new(Class::Durable);
        for number in some {
            batch.put(rows::binding(*number, 0)?);
        }
        store.commit(batch).await?;
    }
    Ok(())
}

async fn renew(store: &Store, seconds: u64, bindings: u64) -> Done<Vec<u64>> {
    let mut samples = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let started = Instant::now();
    let mut number = 0_u64;
    for tick in 0..seconds * 10 {
        ticks.tick().await;
        let mut commits = Vec::new();
        for _ in 0..RENEWALS_A_SECOND / 10 {
            let stamp = u64::try_from(started.elapsed().as_nanos())?;
            commits.push(store.commit(rows::batch(u32::try_from(number % bindings)?, stamp)?));
            // Far apart, as nodes are.
            number += 7919;
        }
        for commit in commits {
            commit.await?;
        }
        if tick % (SAMPLE_EVERY * 10) == 0 {
            samples.push(used(store));
        }
    }
    samples.push(used(store));
    Ok(samples)
}

fn used(store: &Store) -> u64 {
    store.health().disk.map_or(0, |disk| disk.used_octets)
}
