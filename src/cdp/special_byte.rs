//! Finds the special bytes of a JSON string, many at a time.

/// The next special byte of a string (a quote, an escape, a control character, and non-ASCII if
/// `WIDE`): eight at a time, by arithmetic without a false hit below the first true one, and in a
/// long string by blocks that the compiler compares as vectors.
#[inline]
pub(super) fn next_special<const WIDE: bool>(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for _ in 0..4 {
        let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let hits = special_of::<WIDE>(u64::from_le_bytes(*eight));
        if hits != 0 {
            return Some(at + hits.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    next_special_far::<WIDE>(text, at)
}

fn special_of<const WIDE: bool>(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let control = eight.wrapping_sub(ONES * 0x20) & !eight;
    let quote = zero(eight ^ (ONES * u64::from(b'"')));
    let escape = zero(eight ^ (ONES * u64::from(b'\\')));
    (control | quote | escape | if WIDE { eight } else { 0 }) & HIGHS
}

fn next_special_far<const WIDE: bool>(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let blocks = rest.as_chunks::<64>().0;
    let skipped = blocks.iter().take_while(|block| is_clean::<WIDE>(block)).count() * 64;
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\') || (WIDE && *byte >= 0x80);
    rest[skipped..].iter().position(special).map(|more| from + skipped + more)
}

/// Without a branch, so that the compiler can use vectors; and without a call, because a build that is not optimised
/// makes each of them, for every byte of messages of 100 MiB.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "a lazy operator is a branch")]
fn is_clean<const WIDE: bool>(block: &[u8; 64]) -> bool {
    let (mut any, mut at) = (false, 0);
    while at < 64 {
        let byte = block[at];
        any |= (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (WIDE & (byte >= 0x80));
        at += 1;
    }
    !any
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    proptest! {
        #[test]
        fn word_search_agrees_with_byte_search(
            text in vec(prop_oneof![20 => select(&b"ax \x7f\x80\xff!#[]"[..]), 1 => any::<u8>()], 0..200),
        ) {
            for from in 0..=text.len() {
                let special = |byte: &u8| *byte < 0x20 || b"\"\\".contains(byte);
                let slow = text[from..].iter().position(special).map(|at| from + at);
                prop_assert_eq!(next_special::<false>(&text, from), slow);
                let special = |byte: &u8| special(byte) || *byte >= 0x80;
                let slow = text[from..].iter().position(special).map(|at| from + at);
                prop_assert_eq!(next_special::<true>(&text, from), slow);
            }
        }
    }
}
