//! From what each round told to medians, spreads and ratios.

use std::collections::BTreeMap;

use crate::peer::Peer;
use crate::workload::{Figure, Load, Told};

/// All rounds of one figure of one load.
#[derive(Debug)]
pub struct Row {
    /// The load.
    pub load: Load,
    /// The figure.
    pub figure: Figure,
    /// What was told of each peer, in the order of the rounds.
    pub told: BTreeMap<Peer, Vec<Told>>,
}

impl Row {
    /// The median of something that was told of a peer, where it was.
    pub fn median(&self, peer: Peer, of: impl Fn(&Told) -> Option<f64>) -> Option<f64> {
        median(self.told.get(&peer)?.iter().filter_map(of).collect())
    }

    /// The least and the most of a peer's figures.
    pub fn spread(&self, peer: Peer) -> Option<(f64, f64)> {
        let values = || self.told.get(&peer).into_iter().flatten().map(|told| told.value);
        Some((values().reduce(f64::min)?, values().reduce(f64::max)?))
    }

    /// How many times better one peer is than another: the median of the rounds' ratios, since what disturbs the
    /// machine disturbs both of a round.
    pub fn ratio(&self, peer: Peer, to: Peer) -> Option<f64> {
        let (ours, theirs) = (self.told.get(&peer)?, self.told.get(&to)?);
        let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| {
            if self.figure.grows() { ours.value / theirs.value } else { theirs.value / ours.value }
        });
        median(ratios.collect())
    }
}

/// The rows of all rounds.
#[derive(Debug, Default)]
pub struct Figures {
    /// In the order of the loads.
    pub rows: Vec<Row>,
}

impl Figures {
    /// Adds what one round told.
    pub fn add(&mut self, load: Load, peer: Peer, told: Vec<Told>) {
        for told in told {
            let row = match self
                .rows
                .iter_mut()
                .position(|row| row.load == load && row.figure == told.figure)
            {
                Some(place) => &mut self.rows[place],
                None => {
                    self.rows.push(Row { load, figure: told.figure, told: BTreeMap::new() });
                    self.rows.last_mut().expect("it was just pushed")
                }
            };
            row.told.entry(peer).or_default().push(told);
        }
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
