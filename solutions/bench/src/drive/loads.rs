//! The kinds of load, and what is counted in each.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::engine::{Engine, Speech};
use super::wire::Template;
use crate::peer::Server;

/// After the last message was sent, so long may its answer take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long is measured, and how long not yet.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Until caches are warm and code is compiled.
    pub warm_up: Duration,
    /// The time that counts.
    pub measured: Duration,
}

/// What was counted in the window.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Messages answered or delivered, handshakes, or pings.
    pub count: u64,
    /// How long that took.
    pub wall: Duration,
    /// What the server's threads ran meanwhile, where the system tells.
    pub processor: Option<Duration>,
    /// Of the times from sending to receiving, the one that 99 of 100 are below; without messages there is none.
    pub p99: Option<Duration>,
}

/// Counts what happens within the window.
struct Meter<'a> {
    server: &'a Server,
    begins: Instant,
    ends: Instant,
    /// When the window began, and the server's processor time then.
    began: Option<(Instant, Option<Duration>)>,
    count: u64,
    latencies: Histogram<u64>,
}

impl<'a> Meter<'a> {
    fn new(server: &'a Server, window: Window) -> Self {
        let begins = Instant::now() + window.warm_up;
        // From a microsecond to a minute, in nanoseconds, to three digits.
        let latencies =
            Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("these bounds make sense");
        Meter { server, begins, ends: begins + window.measured, began: None, count: 0, latencies }
    }

    /// Whether it goes on; called between turns.
    fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        if self.began.is_none() && now >= self.begins {
            self.began = Some((now, self.server.processor_time()));
            // A window that begins late is as long as one that does not.
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

    fn measured(&self) -> Measured {
        let (began, before) = self.began.unwrap_or((self.begins, None));
        let processor = self.server.processor_since(before);
        let p99 = (!self.latencies.is_empty())
            .then(|| Duration::from_nanos(self.latencies.value_at_quantile(0.99)));
        Measured { count: self.count, wall: began.elapsed(), processor, p99 }
    }
}

/// Each connection has `in_flight` messages of `size` bytes on their way, and sends another for each answer.
///
/// # Errors
/// When an answer is wrong, out of order, or does not come.
pub fn echo(
    server: &Server,
    floor: bool,
    (connections, in_flight, size): (usize, usize, usize),
    window: Window,
) -> Result<Measured, String> {
    let template = Template::new(size);
    let speech = if floor { Speech::Bytes(template.frame_len()) } else { Speech::Frames };
    let mut engine = Engine::new(server.addr, speech)?;
    engine.open(connections)?;
    // Of each client: the number of the next message, and when those on their way were sent.
    let mut clients: Vec<(u64, VecDeque<Instant>)> =
        vec![(0, VecDeque::with_capacity(in_flight)); connections];
    for (index, (next, under_way)) in clients.iter_mut().enumerate() {
        for _ in 0..in_flight {
            template.append(&mut engine.conns[index].out, index, *next);
            *next += 1;
            under_way.push_back(Instant::now());
        }
        engine.flush(index)?;
    }
    let mut meter = Meter::new(server, window);
    let mut measured = None;
    let mut outstanding = connections * in_flight;
    let mut given_up = Instant::now() + PATIENCE;
    while outstanding > 0 {
        let going = measured.is_none() && meter.goes_on();
        if !going && measured.is_none() {
            measured = Some(meter.measured());
            given_up = Instant::now() + PATIENCE;
        }
        if measured.is_some() && Instant::now() > given_up {
            return Err(format!(
                "{outstanding} messages were not answered within {} s",
                PATIENCE.as_secs()
            ));
        }
        engine.turn(None, &mut |index, payload, now, out| {
            let (next, under_way) = &mut clients[index];
            let number = *next - under_way.len() as u64;
            let right = match speech {
                Speech::Frames => template.is_answer(payload, index, number),
                Speech::Bytes(_) => template.is_same(payload, index, number),
            };
            let Some(sent) = under_way.pop_front().filter(|_| right) else {
                return Err(format!("not the answer to its message {number}"));
            };
            meter.count(sent, now);
            if going {
                template.append(out, index, *next);
                *next += 1;
                under_way.push_back(now);
            } else {
                outstanding -= 1;
            }
            Ok(())
        })?;
    }
    measured.ok_or_else(|| "it ended before it began".into())
}

/// One client has `in_flight` messages on their way, each of `size` bytes to all; it sends another whenever one has
/// reached all.
///
/// # Errors
/// When a message is lost, out of order, or does not come.
pub fn broadcast(
    server: &Server,
    (connections, in_flight, size): (usize, usize, usize),
    window: Window,
) -> Result<Measured, String> {
    let template = Template::new(size);
    let mut engine = Engine::new(server.addr, Speech::Frames)?;
    engine.open(connections)?;
    let mut next_of = vec![0_u64; connections];
    // Those on their way: when each was sent, and how many have it.
    let mut under_way: VecDeque<(Instant, usize)> = VecDeque::with_capacity(in_flight);
    let mut next = 0;
    let mut meter = Meter::new(server, window);
    let mut measured = None;
    let mut given_up = Instant::now() + PATIENCE;
    loop {
        if measured.is_none() {
            if meter.goes_on() {
                while under_way.len() < in_flight {
                    template.append(&mut engine.conns[0].out, 0, next);
                    next += 1;
                    under_way.push_back((Instant::now(), 0));
                }
                engine.flush(0)?;
            } else {
                measured = Some(meter.measured());
                given_up = Instant::now() + PATIENCE;
            }
        }
        if let Some(measured) = measured.take_if(|_| under_way.is_empty()) {
            return Ok(measured);
        }
        if measured.is_some() && Instant::now() > given_up {
            return Err(format!(
                "{} messages did not reach all within {} s",
                under_way.len(),
                PATIENCE.as_secs()
            ));
        }
        engine.turn(None, &mut |index, payload, now, _| {
            let number = next_of[index];
            let oldest = next - under_way.len() as u64;
            let place = usize::try_from(number - oldest).unwrap_or(usize::MAX);
            if !template.is_answer(payload, 0, number) || place >= under_way.len() {
                return Err(format!("not message {number}, which was its next"));
            }
            next_of[index] += 1;
            let (sent, reached) = &mut under_way[place];
            *reached += 1;
            meter.count(*sent, now);
            while under_way.front().is_some_and(|(_, reached)| *reached == connections) {
                under_way.pop_front();
            }
            Ok(())
        })?;
    }
}

/// Connections are opened, welcomed and reset.
///
/// # Errors
/// When one can't be opened.
pub fn handshakes(server: &Server, window: Window) -> Result<Measured, String> {
    let mut engine = Engine::new(server.addr, Speech::Frames)?;
    engine.churn(Instant::now() + window.warm_up)?;
    let (began, before) = (Instant::now(), server.processor_time());
    let count = engine.churn(began + window.measured)?;
    let processor = server.processor_since(before);
    Ok(Measured { count, wall: began.elapsed(), processor, p99: None })
}

/// Connections that do nothing but answer pings: the server's memory before and after they came, in bytes, and what
/// the pings of the window cost.
///
/// # Errors
/// When one can't be opened or is dropped.
pub fn idle(
    server: &Server,
    connections: usize,
    window: Window,
) -> Result<(Option<(u64, u64)>, Measured), String> {
    let before = server.memory();
    let mut engine = Engine::new(server.addr, Speech::Frames)?;
    engine.open(connections)?;
    let wait = |engine: &mut Engine, until: Instant| -> Result<(), String> {
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            engine.turn(Some(left), &mut |index, _, _, _| {
                Err(format!("a message for client {index}"))
            })?;
        }
        Ok(())
    };
    wait(&mut engine, Instant::now() + window.warm_up)?;
    let (began, processor, pings) = (Instant::now(), server.processor_time(), engine.pings);
    wait(&mut engine, began + window.measured)?;
    let processor = server.processor_since(processor);
    let measured =
        Measured { count: engine.pings - pings, wall: began.elapsed(), processor, p99: None };
    Ok((before.zip(server.memory()), measured))
}
