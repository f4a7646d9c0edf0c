//! The four kinds of load.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::engine::{Engine, Protocol};
use super::wire::Template;
use super::{ClientError, DriveError, TIMEOUT};
use crate::peer::Server;

/// The time before the measurement and the time of the measurement.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Fills caches and lets a JIT compile.
    pub warm_up: Duration,
    /// The measured time.
    pub measured: Duration,
}

/// The events of a window and their cost.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Replies, deliveries, handshakes or pings.
    pub count: u64,
    /// Elapsed time.
    pub wall: Duration,
    /// CPU time of the server's threads, if the system reports it.
    pub processor: Option<Duration>,
    /// The 99th percentile of the time from sending to receiving, for loads with messages.
    pub p99: Option<Duration>,
}

/// Counts events inside the window.
struct Meter<'a> {
    server: &'a Server,
    begins: Instant,
    ends: Instant,
    /// The window's actual beginning, and the server's CPU time then.
    began: Option<(Instant, Option<Duration>)>,
    count: u64,
    latencies: Histogram<u64>,
}

impl<'a> Meter<'a> {
    fn new(server: &'a Server, window: Window) -> Self {
        let begins = Instant::now() + window.warm_up;
        // Nanoseconds: from 1 µs to 60 s, with three significant digits.
        let latencies =
            Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("the bounds are valid");
        Meter { server, begins, ends: begins + window.measured, began: None, count: 0, latencies }
    }

    /// Begins the window when it is time. Returns false after its end.
    fn is_running(&mut self) -> bool {
        let now = Instant::now();
        if self.began.is_none() && now >= self.begins {
            self.began = Some((now, self.server.processor_time()));
            // A window that begins late also ends late.
            self.ends += now - self.begins;
        }
        now < self.ends
    }

    fn count(&mut self, sent: Instant, now: Instant) {
        if self.began.is_some() {
            self.count += 1;
            let nanos = u64::try_from((now - sent).as_nanos()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(nanos);
        }
    }

    fn tally(&self) -> Tally {
        let (began, before) = self.began.unwrap_or((self.begins, None));
        let processor = self.server.processor_since(before);
        let p99 = (!self.latencies.is_empty())
            .then(|| Duration::from_nanos(self.latencies.value_at_quantile(0.99)));
        Tally { count: self.count, wall: began.elapsed(), processor, p99 }
    }
}

/// Keeps `in_flight` messages of `size` bytes in flight on each connection: each reply triggers
/// the next message.
///
/// # Errors
/// If a reply is wrong, out of order or missing.
pub fn echo(
    server: &Server,
    floor: bool,
    (connections, in_flight, size): (usize, usize, usize),
    window: Window,
) -> Result<Tally, DriveError> {
    let template = Template::new(size);
    let protocol = if floor { Protocol::Bytes(template.frame_len()) } else { Protocol::WebSocket };
    let mut engine = Engine::new(server.addr, protocol)?;
    engine.open(connections)?;
    // For each client: its next message's number, and the times at which those in flight were sent.
    let mut clients: Vec<(u64, VecDeque<Instant>)> =
        vec![(0, VecDeque::with_capacity(in_flight)); connections];
    for (index, (next, in_the_air)) in clients.iter_mut().enumerate() {
        for _ in 0..in_flight {
            template.append(&mut engine.conns[index].out, index, *next);
            *next += 1;
            in_the_air.push_back(Instant::now());
        }
        engine.flush(index)?;
    }
    let mut meter = Meter::new(server, window);
    let mut outstanding = connections * in_flight;
    let mut finished: Option<(Tally, Instant)> = None;
    loop {
        if finished.is_none() && !meter.is_running() {
            finished = Some((meter.tally(), Instant::now()));
        }
        if let Some((tally, at)) = &finished {
            if outstanding == 0 {
                return Ok(tally.clone());
            }
            if at.elapsed() > TIMEOUT {
                return Err(DriveError::Undelivered(outstanding));
            }
        }
        let running = finished.is_none();
        engine.turn(None, &mut |index, payload, now, out| {
            let (next, in_the_air) = &mut clients[index];
            let number = *next - in_the_air.len() as u64;
            let right = match protocol {
                Protocol::WebSocket => template.is_reply(payload, index, number),
                Protocol::Bytes(_) => template.is_same(payload, index, number),
            };
            let Some(sent) = in_the_air.pop_front().filter(|_| right) else {
                return Err(ClientError::WrongMessage(number));
            };
            meter.count(sent, now);
            if running {
                template.append(out, index, *next);
                *next += 1;
                in_the_air.push_back(now);
            } else {
                outstanding -= 1;
            }
            Ok(())
        })?;
    }
}

/// Keeps `in_flight` messages of `size` bytes in flight from one client to all: a message that has
/// reached every client triggers the next.
///
/// # Errors
/// If a message is lost, out of order or missing.
pub fn broadcast(
    server: &Server,
    (connections, in_flight, size): (usize, usize, usize),
    window: Window,
) -> Result<Tally, DriveError> {
    let template = Template::new(size);
    let mut engine = Engine::new(server.addr, Protocol::WebSocket)?;
    engine.open(connections)?;
    let mut next_of = vec![0_u64; connections];
    // For each message in flight: the time at which it was sent, and how many clients have it.
    let mut in_the_air: VecDeque<(Instant, usize)> = VecDeque::with_capacity(in_flight);
    let mut next = 0;
    let mut meter = Meter::new(server, window);
    let mut finished: Option<(Tally, Instant)> = None;
    loop {
        if finished.is_none() {
            if meter.is_running() {
                while in_the_air.len() < in_flight {
                    template.append(&mut engine.conns[0].out, 0, next);
                    next += 1;
                    in_the_air.push_back((Instant::now(), 0));
                }
                engine.flush(0)?;
            } else {
                finished = Some((meter.tally(), Instant::now()));
            }
        }
        if let Some((tally, at)) = &finished {
            if in_the_air.is_empty() {
                return Ok(tally.clone());
            }
            if at.elapsed() > TIMEOUT {
                return Err(DriveError::Undelivered(in_the_air.len()));
            }
        }
        engine.turn(None, &mut |index, payload, now, _| {
            let number = next_of[index];
            let oldest = next - in_the_air.len() as u64;
            let place = usize::try_from(number - oldest).unwrap_or(usize::MAX);
            if !template.is_reply(payload, 0, number) || place >= in_the_air.len() {
                return Err(ClientError::WrongMessage(number));
            }
            next_of[index] += 1;
            let (sent, reached) = &mut in_the_air[place];
            *reached += 1;
            meter.count(*sent, now);
            while in_the_air.front().is_some_and(|(_, reached)| *reached == connections) {
                in_the_air.pop_front();
            }
            Ok(())
        })?;
    }
}

/// Opens connections, waits for each welcome and resets the connection.
///
/// # Errors
/// If a connection cannot be opened.
pub fn handshakes(server: &Server, window: Window) -> Result<Tally, DriveError> {
    let mut engine = Engine::new(server.addr, Protocol::WebSocket)?;
    engine.churn(Instant::now() + window.warm_up)?;
    let (began, before) = (Instant::now(), server.processor_time());
    let count = engine.churn(began + window.measured)?;
    let processor = server.processor_since(before);
    Ok(Tally { count, wall: began.elapsed(), processor, p99: None })
}

/// Opens connections that only answer pings. Returns the server's memory in bytes without and with
/// them, and the pings of the window.
///
/// # Errors
/// If a connection cannot be opened or is dropped.
pub fn idle(
    server: &Server,
    connections: usize,
    window: Window,
) -> Result<(Option<(u64, u64)>, Tally), DriveError> {
    let before = server.memory();
    let mut engine = Engine::new(server.addr, Protocol::WebSocket)?;
    engine.open(connections)?;
    let wait = |engine: &mut Engine, until: Instant| -> Result<(), DriveError> {
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            engine.turn(Some(left), &mut |_, _, _, _| Err(ClientError::Unexpected))?;
        }
        Ok(())
    };
    wait(&mut engine, Instant::now() + window.warm_up)?;
    let (began, processor, pings) = (Instant::now(), server.processor_time(), engine.pings);
    wait(&mut engine, began + window.measured)?;
    let processor = server.processor_since(processor);
    let tally = Tally { count: engine.pings - pings, wall: began.elapsed(), processor, p99: None };
    Ok((before.zip(server.memory()), tally))
}
