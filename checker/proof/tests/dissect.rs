//! Compares the playground's frame parser with tungstenite on all lengths, masks and opcodes.

use std::io::Cursor;

use play::dissect::{Dissector, Frame, Header, Piece};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

const KEPT: usize = 512;
const ROUNDS: u64 = 2_000;

/// Returns a length. Half of them are near a boundary of the format.
fn length(rng: &mut StdRng) -> usize {
    match rng.random_range(0..8) {
        0 => 0,
        1 => rng.random_range(124..128),
        2 => rng.random_range(65_534..65_538),
        3 => rng.random_range(0..70_000),
        _ => rng.random_range(0..126),
    }
}

/// Encodes a frame with these bits in its first byte, without the parser under test. Returns it
/// with its payload.
fn frame(rng: &mut StdRng) -> (Vec<u8>, Vec<u8>) {
    let mut payload = vec![0; length(rng)];
    rng.fill(&mut payload[..]);
    let mask: Option<[u8; 4]> = rng.random_bool(0.5).then(|| rng.random());
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![rng.random::<u8>()];
    // A short length may be written in more bytes. Tungstenite accepts this.
    match (payload.len(), rng.random_range(0..10)) {
        (len @ 0..126, 2..) => bytes.push(bit | len as u8),
        (len @ 0..65_536, 1..) => {
            bytes.extend([&[bit | 126][..], &(len as u16).to_be_bytes()].concat())
        }
        (len, _) => bytes.extend([&[bit | 127][..], &(len as u64).to_be_bytes()].concat()),
    }
    bytes.extend(mask.iter().flatten());
    let key = mask.unwrap_or_default();
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
    (bytes, payload)
}

#[test]
fn headers_agree_with_tungstenite_s() {
    let (mut agreed, mut refused) = (0, 0);
    for seed in 0..ROUNDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let (bytes, payload) = frame(&mut rng);
        let ours = Header::parse(&bytes).expect("a length").expect("all of the header is there");
        assert_eq!(ours.len, payload.len() as u64, "seed {seed}");
        let mut cursor = Cursor::new(&bytes[..]);
        match FrameHeader::parse(&mut cursor) {
            Ok(Some((theirs, len))) => {
                agreed += 1;
                let rsv = [theirs.rsv1, theirs.rsv2, theirs.rsv3];
                let told = (
                    theirs.is_final,
                    rsv,
                    theirs.opcode.into(),
                    theirs.mask,
                    len,
                    cursor.position() as usize,
                );
                assert_eq!(
                    (ours.fin, ours.rsv, ours.opcode, ours.mask, ours.len, ours.bytes.len()),
                    told,
                    "seed {seed}"
                );
            }
            Err(_) => {
                refused += 1;
                assert_eq!(
                    ours.kind(),
                    "reserved",
                    "seed {seed}: tungstenite refuses {:?}",
                    OpCode::from(ours.opcode)
                );
            }
            Ok(None) => panic!("seed {seed}: all of the header is there"),
        }
        // With one byte less, neither parser finds a header.
        let short = &bytes[..ours.bytes.len() - 1];
        assert_eq!(Header::parse(short), Ok(None), "seed {seed}");
    }
    assert!(agreed > 500 && refused > 500, "{agreed} agreed, {refused} refused");
}

#[test]
fn streams_come_out_whole_however_they_are_cut() {
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let frames: Vec<_> = (0..20).map(|_| frame(&mut rng)).collect();
        let stream: Vec<u8> = frames.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let mut found: Vec<Frame> = Vec::new();
        let mut dissector = Dissector::after_handshake(KEPT);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let most = if rng.random_bool(0.5) { 5 } else { 100_000 };
            let (piece, others) = rest.split_at(rng.random_range(1..=most).min(rest.len()));
            rest = others;
            dissector.feed(piece, |piece| match piece {
                Piece::Frame(frame) => found.push(frame),
                other => panic!("seed {seed}: {other:?}"),
            });
        }
        assert_eq!(found.len(), frames.len(), "seed {seed}");
        for (found, (bytes, payload)) in found.iter().zip(&frames) {
            assert!(bytes.starts_with(&found.header.bytes), "seed {seed}");
            assert_eq!(found.header.bytes.len() + payload.len(), bytes.len(), "seed {seed}");
            assert_eq!(found.payload, payload[..payload.len().min(KEPT)], "seed {seed}");
        }
    }
}

#[test]
fn a_length_of_which_the_first_bit_is_set_is_none() {
    assert!(Header::parse(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]).is_err());
}
