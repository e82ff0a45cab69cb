//! How far watches are behind while commits come in at a steady rate.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use store::{AnyRow, Binding, Change, OpenOptions, Policy, Store, StoreUrl, WatchEvent};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;

use crate::usage::{at, commas};
use crate::{Done, rows};

/// Renewals go round these.
const BINDINGS: u32 = 100_000;

fn runtime() -> Done<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

type Lags = Arc<Mutex<Vec<Duration>>>;

pub fn run(folder: &Path, rate: u64, seconds: u64) -> Done<()> {
    let runtime = runtime()?;
    let url = StoreUrl::Sled(folder.join("store"));
    let store = runtime.block_on(Store::open(&url, OpenOptions::default()))?;
    let there = store.snapshot().rows::<Binding>().len();
    let epoch = Instant::now();
    let (near, far) = (Lags::default(), Lags::default());
    follow(store.clone(), epoch, &near);
    let socket = serve(&store, folder)?;
    let remote = runtime.block_on(Store::open(&StoreUrl::Unix(socket), OpenOptions::default()))?;
    // Its mirror lives on this thread, beside the commits.
    follow(remote, epoch, &far);
    let acknowledged = runtime.block_on(produce(&store, epoch, rate, seconds))?;
    runtime.block_on(async { tokio::time::sleep(Duration::from_secs(2)).await });
    println!(
        "| commits at {}/s for {seconds} s, {there} bindings before | p50 | p99 | p99.9 | most | seen |",
        commas(rate as f64)
    );
    println!("|---|---|---|---|---|---|");
    print("submitted → acknowledged", acknowledged);
    print("submitted → seen by a watch in the process", take(&near));
    print("submitted → seen by a watch behind `unix:`", take(&far));
    runtime.block_on(store.close());
    Ok(())
}

fn take(lags: &Lags) -> Vec<Duration> {
    lags.lock().map(|mut lags| std::mem::take(&mut *lags)).unwrap_or_default()
}

fn print(what: &str, mut lags: Vec<Duration>) {
    lags.sort_unstable();
    let shown =
        [500, 990, 999, 1000].map(|part| format!("{:.2} ms", at(&lags, part).as_secs_f64() * 1e3));
    println!("| {what} | {} | {} |", shown.join(" | "), commas(lags.len() as f64));
}

/// Watches in a thread of its own. An Identification says when its commit was submitted.
fn follow(store: Store, epoch: Instant, lags: &Lags) {
    let lags = Arc::clone(lags);
    thread::spawn(move || -> Done<()> {
        runtime()?.block_on(async {
            let mut watch = store.watch(None);
            while let Some(WatchEvent::Changed(event)) = watch.next().await {
                let now = epoch.elapsed();
                for change in event.changes.iter() {
                    let Change::Put(AnyRow::Binding(row)) = change else { continue };
                    let lag = now.saturating_sub(Duration::from_nanos(row.identification.0));
                    if let Ok(mut lags) = lags.lock() {
                        lags.push(lag);
                    }
                }
            }
            Ok(())
        })
    });
}

fn serve(store: &Store, folder: &Path) -> Done<std::path::PathBuf> {
    let path = folder.join("bench.sock");
    drop(std::fs::remove_file(&path));
    let (store, at) = (store.clone(), path.clone());
    let (ready, wait) = std::sync::mpsc::channel();
    thread::spawn(move || -> Done<()> {
        runtime()?.block_on(async {
            let listener = UnixListener::bind(at)?;
            ready.send(())?;
            store::serve(store, listener, Policy::operators(), std::future::pending()).await?;
            Ok(())
        })
    });
    wait.recv()?;
    Ok(path)
}

/// Ten milliseconds' worth of commits every ten milliseconds.
async fn produce(store: &Store, epoch: Instant, rate: u64, seconds: u64) -> Done<Vec<Duration>> {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let acknowledged = Lags::default();
    let mut tasks = tokio::task::JoinSet::new();
    let mut number = 0;
    for _ in 0..seconds * 100 {
        ticks.tick().await;
        for _ in 0..rate / 100 {
            let submitted = epoch.elapsed();
            let stamp = u64::try_from(submitted.as_nanos())?;
            let commit = store.commit(rows::batch(number, stamp)?);
            number = (number + 1) % BINDINGS;
            let acknowledged = Arc::clone(&acknowledged);
            tasks.spawn(async move {
                if commit.await.is_ok()
                    && let Ok(mut acknowledged) = acknowledged.lock()
                {
                    acknowledged.push(epoch.elapsed() - submitted);
                }
            });
        }
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    Ok(take(&acknowledged))
}
