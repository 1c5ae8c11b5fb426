//! Keeps a number of jobs in flight and times each.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actions::clock::Clock as _;
use runner::clock::SystemClock;

use super::machine::{self, CpuTime};

/// What came of a number of jobs.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How many ended well.
    pub jobs: u64,
    /// From the first start to the last end.
    pub elapsed: Duration,
    /// Processor time of this process without its doubles.
    pub cpu: CpuTime,
    /// Jobs that were in flight at the same moment at most.
    pub most_in_flight: usize,
    /// Time of each job, shortest first.
    latencies: Vec<Duration>,
}

impl Figures {
    /// Jobs in a second.
    pub fn rate(&self) -> f64 {
        machine::as_f64(self.jobs) / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The time that this share of the jobs did not exceed, in per cent.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(place).copied().unwrap_or_default()
    }

    /// Processor seconds for 1,000 jobs.
    pub fn cpu_per_thousand(&self) -> f64 {
        self.cpu.as_secs_f64() * 1_000.0 / machine::as_f64(self.jobs.max(1))
    }
}

/// Does `jobs` jobs, `in_flight` at the same time. The first job that fails ends the measurement.
pub async fn drive<Job, Done>(first: u64, jobs: u64, in_flight: usize, job: Job) -> io::Result<Figures>
where
    Job: Fn(u64) -> Done + Send + Sync + 'static,
    Done: Future<Output = io::Result<()>> + Send + 'static,
{
    let clock = SystemClock::new();
    let next = Arc::new(AtomicU64::new(first));
    let end = first.saturating_add(jobs);
    let (active, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let job = Arc::new(job);
    let cpu_before = machine::cpu_time();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..in_flight {
        let (next, job) = (Arc::clone(&next), Arc::clone(&job));
        let (active, most) = (Arc::clone(&active), Arc::clone(&most));
        workers.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok::<_, io::Error>(times);
                }
                most.fetch_max(active.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                let begun = clock.elapsed();
                job(number).await?;
                times.push(clock.elapsed().saturating_sub(begun));
                active.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = workers.join_next().await {
        latencies.append(&mut done.map_err(io::Error::other)??);
    }
    let elapsed = clock.elapsed();
    latencies.sort_unstable();
    Ok(Figures {
        jobs,
        elapsed,
        cpu: machine::cpu_time().saturating_sub(cpu_before),
        most_in_flight: most.load(Ordering::Relaxed),
        latencies,
    })
}
