//! Runs a whole race: starts the servers, races in real time, counts costs and idle minutes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::cost::{Cost, count};
use crate::heat::{Finished, Starter, run_heat};
use crate::idle::count_idle;
use crate::summary::{Latency, LeftOut, Machine, Race, Result, curve, histogram};
use baseline::client::Http;
use baseline::transports::client::{ConnectOptions, Route, TransportClient, name_contestant};
use baseline::transports::clock::Clock;
use baseline::transports::plan::{Contestant, Plan};
use baseline::transports::proxy::Distance;
use baseline::transports::remote::RemoteServer;
use baseline::transports::server::{Baseline, PushServer, TransportServer};
use harness::verdict::{CheckError, CheckResult};

/// The most requests of one count. A debug build makes some thousands of requests a second.
const MOST_REQUESTS: usize = 2_500;
/// The logical time over which costs are counted: a whole number of each poller's periods.
const COUNTED: Duration = Duration::from_secs(1);

/// The settings of a race.
#[derive(Clone)]
pub struct Settings {
    /// The seed of all random choices.
    pub seed: u64,
    /// The length of the race.
    pub window: Duration,
    /// The mean time between events.
    pub apart: Duration,
    /// The round trip time between all clients and the servers.
    pub rtt: Duration,
    /// Opens a new connection for each request.
    pub reconnect: bool,
    /// The WebSocket server.
    pub pushed: PushServer,
    /// The name of the WebSocket server in the results.
    pub server: String,
    /// Where the other servers run.
    pub baseline: Baseline,
    /// The numbers of subscribers with which costs are counted.
    pub subscribers: Vec<usize>,
}

impl Settings {
    /// Returns the time of a request and its response. A new connection takes a round trip more.
    fn request(&self) -> Duration {
        self.rtt * (1 + u32::from(self.reconnect))
    }
}

/// Runs a race. Fails if a server does not start, disconnects or loses messages.
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
    let outcome = measure(settings, &hosts, &clock, machine, progress).await;
    // A server process that ended explains any other failure.
    let ended = hosts.iter().find_map(TransportServer::ended);
    outcome.map_err(|error| match (error, ended) {
        (CheckError::Failed(mut failure), Some(status)) => {
            failure.summary = format!("{}; the server's process ended ({status})", failure.summary);
            failure.into()
        }
        (error, _) => error,
    })
}

async fn measure(
    settings: &Settings,
    hosts: &[TransportServer],
    clock: &Clock,
    machine: Machine,
    progress: &(dyn Fn(String) + Send + Sync),
) -> CheckResult<Race> {
    let plan = Arc::new(Plan::new(settings.seed, settings.window, settings.apart));
    let mut contestants = race_all(settings, hosts, &plan, clock, progress).await?;
    let counted_plan = Plan::new(settings.seed, COUNTED, settings.apart);
    for &subscribers in &settings.subscribers {
        progress(format!(
            "counting with {subscribers} subscriber{}",
            if subscribers == 1 { "" } else { "s" }
        ));
        let counting = hosts.iter().zip(&mut contestants).map(async |(host, result)| {
            match skip_reason(result.key, subscribers) {
                Some(reason) => result.left_out.push(LeftOut { subscribers, why: reason }),
                None => {
                    let cost =
                        count_cost(settings, host, result.key, subscribers, &counted_plan, clock)
                            .await;
                    result.costs.push(cost.map_err(name_contestant(result.key))?);
                }
            }
            Ok::<_, CheckError>(())
        });
        try_join_all(counting).await?;
    }
    progress("counting an idle minute".to_string());
    let idling = hosts.iter().zip(&mut contestants).map(async |(host, result)| {
        let distance = Distance { rtt: Duration::ZERO, clock: clock.clone() };
        let idle =
            count_idle(result.key, host, &settings.pushed, settings.reconnect, distance).await;
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

/// Races all contestants in real time, with one subscriber each.
async fn race_all(
    settings: &Settings,
    hosts: &[TransportServer],
    plan: &Arc<Plan>,
    clock: &Clock,
    progress: &(dyn Fn(String) + Send + Sync),
) -> CheckResult<Vec<Result>> {
    let starters = Contestant::ALL.into_iter().zip(hosts).map(|(contestant, host)| Starter {
        contestant,
        route: route(host, settings.rtt, clock),
        options: connect_options(settings, 1),
        request: settings.request(),
        apart: settings.apart,
    });
    let finished = run_heat(starters.collect(), plan, progress).await?;
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

async fn count_cost(
    settings: &Settings,
    host: &TransportServer,
    contestant: Contestant,
    subscribers: usize,
    plan: &Plan,
    clock: &Clock,
) -> CheckResult<Cost> {
    if !matches!(contestant, Contestant::Push | Contestant::Relay) {
        // The digits of `since` make a difference on the wire, so each count starts at 0.
        Http::new(host.endpoint.0[0], true).clear().await?;
    }
    let proxies = route(host, Duration::ZERO, clock).open_proxies().await?;
    let client =
        TransportClient::connect(contestant, &proxies, &connect_options(settings, subscribers))
            .await?;
    let before = host.cpu();
    let mut cost = count(client, &proxies, plan, settings.request()).await?;
    let used = host.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    cost.cpu_ms = used.map(|used| used.as_secs_f64() * 1_000.0);
    Ok(cost)
}

fn route(host: &TransportServer, rtt: Duration, clock: &Clock) -> Route {
    Route { endpoint: host.endpoint.clone(), distance: Distance { rtt, clock: clock.clone() } }
}

fn connect_options(settings: &Settings, subscribers: usize) -> ConnectOptions {
    let (host, path) = match &settings.pushed {
        PushServer::Remote(RemoteServer { host, path, .. }) => (host.clone(), path.clone()),
        PushServer::Program(_) => ("localhost".to_string(), "/".to_string()),
    };
    ConnectOptions { subscribers, reconnect: settings.reconnect, host, path }
}

fn skip_reason(contestant: Contestant, subscribers: usize) -> Option<String> {
    let period = contestant.period()?;
    let requests =
        subscribers * usize::try_from(COUNTED.as_nanos().div_ceil(period.as_nanos())).ok()?;
    let a_second = subscribers as f64 / period.as_secs_f64();
    (requests > MOST_REQUESTS).then(|| {
        format!("{} requests a second are too many to count in time", crate::table::count(a_second))
    })
}
