//! Medians, spreads and ratios of the samples of all rounds.

use std::collections::BTreeMap;

use crate::peer::Peer;
use crate::workload::{Load, Quantity, Sample};

/// The samples of one quantity under one load.
#[derive(Debug)]
pub struct Row {
    /// The load.
    pub load: Load,
    /// The quantity.
    pub quantity: Quantity,
    /// The samples of each peer, in the order of the rounds.
    pub samples: BTreeMap<Peer, Vec<Sample>>,
}

impl Row {
    /// Returns the median of one field of a peer's samples.
    pub fn median(&self, peer: Peer, field: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.samples.get(&peer)?.iter().filter_map(field).collect())
    }

    /// Returns the median of a peer's values.
    pub fn value(&self, peer: Peer) -> Option<f64> {
        self.median(peer, |sample| Some(sample.value))
    }

    /// Returns the smallest and the largest of a peer's values.
    pub fn spread(&self, peer: Peer) -> Option<(f64, f64)> {
        let values = || self.samples.get(&peer).into_iter().flatten().map(|sample| sample.value);
        Some((values().reduce(f64::min)?, values().reduce(f64::max)?))
    }

    /// Returns how many times better a peer is than Node's `ws`. This is the median of the rounds'
    /// ratios: what disturbs the machine disturbs both servers of a round.
    pub fn ratio(&self, peer: Peer) -> Option<f64> {
        let (own, node) = (self.samples.get(&peer)?, self.samples.get(&Peer::Node)?);
        let ratios = own.iter().zip(node).map(|(own, node)| {
            if self.quantity.more_is_better() {
                own.value / node.value
            } else {
                node.value / own.value
            }
        });
        median(ratios.collect())
    }
}

/// All rows.
#[derive(Debug, Default)]
pub struct Figures {
    /// In the order of the loads.
    pub rows: Vec<Row>,
}

impl Figures {
    /// Adds the samples of one round.
    pub fn add(&mut self, load: Load, peer: Peer, samples: Vec<Sample>) {
        for sample in samples {
            let row = match self.position(load, sample.quantity) {
                Some(place) => &mut self.rows[place],
                None => {
                    let quantity = sample.quantity;
                    self.rows.push(Row { load, quantity, samples: BTreeMap::new() });
                    self.rows.last_mut().expect("a row was just pushed")
                }
            };
            row.samples.entry(peer).or_default().push(sample);
        }
    }

    /// Returns the row of a load and a quantity, if it was measured.
    pub fn row(&self, load: Load, quantity: Quantity) -> Option<&Row> {
        Some(&self.rows[self.position(load, quantity)?])
    }

    fn position(&self, load: Load, quantity: Quantity) -> Option<usize> {
        self.rows.iter().position(|row| row.load == load && row.quantity == quantity)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
