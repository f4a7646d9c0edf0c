//! Renders every single message of a race as CSV.

use super::summary::Race;

/// Returns one row for each message: the contestant, the event and the subscriber, both numbered
/// from 1, and the latency in milliseconds.
pub fn csv(race: &Race) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["contestant", "event", "subscriber", "latency_ms"])?;
    for result in &race.contestants {
        let mut samples = result.samples.clone();
        samples.sort_by_key(|sample| (sample.event, sample.subscriber));
        for sample in samples {
            let (event, subscriber) = (sample.event + 1, sample.subscriber + 1);
            let millis = format!("{:.3}", sample.latency.as_secs_f64() * 1_000.0);
            writer.write_record([
                result.key.key(),
                event.to_string(),
                subscriber.to_string(),
                millis,
            ])?;
        }
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
