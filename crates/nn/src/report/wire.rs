//! The bytes of an event file: protocol buffers and the records that frame them.
//!
//! Of the messages in TensorFlow's `event.proto` and `summary.proto` only the fields that are written are here, by
//! their numbers. A record is length, checksum of the length, content, checksum of the content; checksums are CRC-32C,
//! rotated and shifted by a constant (TensorFlow's "TFRecords format details").

use super::histogram::Histogram;
use super::picture::Picture;
use crc::{CRC_32_ISCSI, Crc};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// A message that is being written.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u8, wire_type: u8) {
        // Field numbers below 16 take one byte.
        self.0.push(field << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn int(mut self, field: u8, value: u64) -> Self {
        self.key(field, 0);
        self.varint(value);
        self
    }

    fn double(mut self, field: u8, value: f64) -> Self {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u8, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u8, bytes: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn doubles(self, field: u8, values: impl Iterator<Item = f64>) -> Self {
        self.bytes(field, &values.flat_map(f64::to_le_bytes).collect::<Vec<_>>())
    }

    /// The record that holds this message.
    pub(super) fn record(&self) -> Vec<u8> {
        let length = (self.0.len() as u64).to_le_bytes();
        let sums = [checksum(&length), checksum(&self.0)];
        [&length[..], &sums[0], &self.0, &sums[1]].concat()
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    CRC.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// What an event file starts with.
pub(super) fn version(time: f64) -> Message {
    Message::default().double(1, time).bytes(3, b"brain.Event:2")
}

/// `Event` with a `Summary` of one `Value`.
pub(super) fn event(time: f64, step: u64, tag: &str, value: Message) -> Message {
    let value = Message([Message::default().bytes(1, tag.as_bytes()).0, value.0].concat());
    let summary = Message::default().bytes(1, &value.0);
    Message::default().double(1, time).int(2, step).bytes(5, &summary.0)
}

/// `Value.simple_value`.
pub(super) fn scalar(value: f64) -> Message {
    Message::default().float(2, value as f32)
}

/// `Value.histo`: each bin with its right edge.
pub(super) fn histogram(histogram: &Histogram) -> Message {
    let edges = histogram.edges();
    let message = Message::default()
        .double(1, histogram.low())
        .double(2, histogram.high())
        .double(3, histogram.total() as f64)
        .double(4, histogram.sum())
        .double(5, histogram.sum_of_squares())
        .doubles(6, edges.into_iter().skip(1))
        .doubles(7, histogram.counts().iter().map(|&count| count as f64));
    Message::default().bytes(5, &message.0)
}

/// `Value.image`, with four channels.
pub(super) fn image(picture: &Picture) -> Message {
    let message = Message::default()
        .int(1, picture.height as u64)
        .int(2, picture.width as u64)
        .int(3, 4)
        .bytes(4, &picture.png());
    Message::default().bytes(4, &message.0)
}

#[cfg(test)]
mod tests {
    use super::{CRC, Message, checksum};

    #[test]
    fn checksums_are_castagnolis() {
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(CRC.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(
            checksum(&[0; 32]),
            0x8a91_36aau32.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
        );
    }

    #[test]
    fn integers_take_seven_bits_a_byte() {
        assert_eq!(Message::default().int(2, 300).0, [0x10, 0xac, 0x02]);
        assert_eq!(Message::default().int(2, u64::MAX).0.len(), 11);
    }
}
