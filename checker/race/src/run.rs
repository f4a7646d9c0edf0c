//! A whole race: everybody starts, races, is counted, idles.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::cost::{Cost, count};
use crate::heat::{Finished, Starter, heat};
use crate::idle::idle;
use crate::summary::{Latency, LeftOut, Machine, Race, Result, curve, histogram};
use baseline::client::Http;
use baseline::transports::client::{ConnectOptions, Route, TransportClient, name_contestant};
use baseline::transports::clock::Clock;
use baseline::transports::plan::{Contestant, Plan};
use baseline::transports::proxy::Distance;
use baseline::transports::remote::RemoteServer;
use baseline::transports::server::{Baseline, PushServer, TransportServer};
use harness::verdict::{CheckError, CheckResult};

/// How many requests one counting may make. They follow each other as fast as the machine can, which in a debug build
/// is some thousands a second.
const REQUESTS: usize = 2_500;
/// Over how much of a plan's time costs are counted: a whole number of every poller's periods.
const COUNTED: Duration = Duration::from_secs(1);

/// What to race.
#[derive(Clone)]
pub struct Settings {
    /// What all chance follows from.
    pub seed: u64,
    /// How long the race goes on.
    pub window: Duration,
    /// How far events are apart, on the average.
    pub apart: Duration,
    /// The distance of everybody from the servers.
    pub rtt: Duration,
    /// A new connection for each request.
    pub reconnect: bool,
    /// The WebSocket server, and what to call it.
    pub pushed: PushServer,
    /// See `pushed`.
    pub server: String,
    /// Where the other servers come from.
    pub baseline: Baseline,
    /// With how many subscribers costs are counted.
    pub subscribers: Vec<usize>,
}

impl Settings {
    /// What a request takes there and back: a new connection has to be made first.
    fn request(&self) -> Duration {
        self.rtt * (1 + u32::from(self.reconnect))
    }
}

/// Races.
///
/// # Errors
/// When a server doesn't come up, goes away or loses messages, or this machine doesn't let it be done.
pub async fn run(
    settings: &Settings,
    progress: &(dyn Fn(String) + Send + Sync),
) -> CheckResult<Race> {
    let machine = Machine::here();
    let clock = Clock::start()?;
    progress("starting the servers …".to_string());
    let hosts = Contestant::ALL.map(async |contestant| {
        TransportServer::start(contestant, &settings.pushed, &settings.baseline)
            .await
            .map_err(name_contestant(contestant))
    });
    let hosts = try_join_all(hosts).await?;
    let outcome = all(settings, &hosts, &clock, machine, progress).await;
    // A server that died explains whatever went wrong.
    let died = hosts.iter().find_map(TransportServer::ended);
    outcome.map_err(|error| match (error, died) {
        (CheckError::Failed(mut failure), Some(status)) => {
            failure.summary = format!("{}; the server's process ended ({status})", failure.summary);
            failure.into()
        }
        (error, _) => error,
    })
}

async fn all(
    settings: &Settings,
    hosts: &[TransportServer],
    clock: &Clock,
    machine: Machine,
    progress: &(dyn Fn(String) + Send + Sync),
) -> CheckResult<Race> {
    let plan = Arc::new(Plan::new(settings.seed, settings.window, settings.apart));
    let mut contestants = raced(settings, hosts, &plan, clock, progress).await?;
    let counted_plan = Plan::new(settings.seed, COUNTED, settings.apart);
    for &subscribers in &settings.subscribers {
        progress(format!(
            "counting with {subscribers} subscriber{}",
            if subscribers == 1 { "" } else { "s" }
        ));
        let counting = hosts.iter().zip(&mut contestants).map(async |(host, result)| {
            match too_many(result.key, subscribers) {
                Some(why) => result.left_out.push(LeftOut { subscribers, why }),
                None => {
                    let cost =
                        counted(settings, host, result.key, subscribers, &counted_plan, clock)
                            .await;
                    result.costs.push(cost.map_err(name_contestant(result.key))?);
                }
            }
            Ok::<_, CheckError>(())
        });
        try_join_all(counting).await?;
    }
    progress("listening to silence".to_string());
    let idling = hosts.iter().zip(&mut contestants).map(async |(host, result)| {
        let distance = Distance { rtt: Duration::ZERO, clock: clock.clone() };
        let idle = idle(result.key, host, &settings.pushed, settings.reconnect, distance).await;
        result.idle_minute = idle.map_err(name_contestant(result.key))?;
        Ok::<_, CheckError>(())
    });
    try_join_all(idling).await?;
    let race = Race {
        seed: settings.seed,
        server: settings.server.clone(),
        rtt_ms: settings.rtt.as_millis() as u64,
        apart_ms: settings.apart.as_millis() as u64,
        seconds: settings.window.as_secs_f64(),
        events: plan.events.len(),
        reconnect: settings.reconnect,
        machine,
        noise_ms: 0.0,
        contestants,
    };
    Ok(race.with_noise())
}

/// In real time, with one subscriber each.
async fn raced(
    settings: &Settings,
    hosts: &[TransportServer],
    plan: &Arc<Plan>,
    clock: &Clock,
    progress: &(dyn Fn(String) + Send + Sync),
) -> CheckResult<Vec<Result>> {
    let starters = Contestant::ALL.into_iter().zip(hosts).map(|(contestant, host)| Starter {
        contestant,
        wiring: wiring(host, settings.rtt, clock),
        connecting: connecting(settings, 1),
        request: settings.request(),
        apart: settings.apart,
    });
    let finished = heat(starters.collect(), plan, progress).await?;
    let results =
        Contestant::ALL.into_iter().zip(finished).map(|(key, Finished { samples, seen })| {
            let histogram = histogram(samples.iter().map(|sample| sample.latency));
            Result {
                key,
                name: key.name(),
                theory_ms: key
                    .theory(settings.rtt, settings.request(), settings.apart)
                    .as_secs_f64()
                    * 1_000.0,
                latency: Latency::of(&histogram),
                costs: Vec::new(),
                left_out: Vec::new(),
                idle_minute: None,
                seen,
                curve: curve(&histogram),
                samples,
            }
        });
    Ok(results.collect())
}

async fn counted(
    settings: &Settings,
    host: &TransportServer,
    contestant: Contestant,
    subscribers: usize,
    plan: &Plan,
    clock: &Clock,
) -> CheckResult<Cost> {
    if !matches!(contestant, Contestant::Push | Contestant::Relay) {
        // All begin with an empty room: how long its numbers are makes a difference on the wire.
        Http::new(host.endpoint.0[0], true).clear().await?;
    }
    let lines = wiring(host, Duration::ZERO, clock).open_proxies().await?;
    let lane =
        TransportClient::connect(contestant, &lines, &connecting(settings, subscribers)).await?;
    let before = host.cpu();
    let mut cost = count(lane, &lines, plan, settings.request()).await?;
    let used = host.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    cost.cpu_ms = used.map(|used| used.as_secs_f64() * 1_000.0);
    Ok(cost)
}

fn wiring(host: &TransportServer, rtt: Duration, clock: &Clock) -> Route {
    Route { endpoint: host.endpoint.clone(), distance: Distance { rtt, clock: clock.clone() } }
}

fn connecting(settings: &Settings, subscribers: usize) -> ConnectOptions {
    let (host, path) = match &settings.pushed {
        PushServer::Remote(RemoteServer { host, path, .. }) => (host.clone(), path.clone()),
        PushServer::Program(_) => ("localhost".to_string(), "/".to_string()),
    };
    ConnectOptions { subscribers, reconnect: settings.reconnect, host, path }
}

fn too_many(contestant: Contestant, subscribers: usize) -> Option<String> {
    let period = contestant.period()?;
    let requests =
        subscribers * usize::try_from(COUNTED.as_nanos().div_ceil(period.as_nanos())).ok()?;
    let a_second = subscribers as f64 / period.as_secs_f64();
    (requests > REQUESTS).then(|| {
        format!("{} requests a second are too many to count in time", crate::table::count(a_second))
    })
}
