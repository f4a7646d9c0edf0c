//! Every single message, for those who plot themselves.

use std::fmt::Write;

use crate::summary::Race;

/// One line for each message that arrived: contestant, event and subscriber (from 1), and milliseconds from sending
/// to arrival.
pub fn csv(race: &Race) -> String {
    let mut out = String::from("contestant,event,subscriber,latency_ms\n");
    for result in &race.contestants {
        let mut samples = result.samples.clone();
        samples.sort_by_key(|sample| (sample.event, sample.subscriber));
        for sample in samples {
            let millis = sample.latency.as_secs_f64() * 1_000.0;
            let (event, subscriber) = (sample.event + 1, sample.subscriber + 1);
            let _ = writeln!(out, "{},{event},{subscriber},{millis:.3}", result.key.key());
        }
    }
    out
}
