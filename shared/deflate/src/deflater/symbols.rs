//! The symbols of RFC 1951 §3.2.5: similar lengths and similar distances share a symbol and are distinguished
//! by extra bits.
//!
//! Here lengths are stored minus 3 and distances minus 1, so that they fit in one and two bytes.

/// The symbol that ends a block; literals are below it, lengths above it.
pub(super) const END: usize = 256;
/// Number of literals, the end symbol and lengths.
pub(super) const LITLENS: usize = 286;
/// Number of distance symbols.
pub(super) const DISTANCES: usize = 30;

/// Extra bits of each length symbol, starting with symbol 257.
pub(super) const LENGTH_EXTRA: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/// Extra bits of each distance symbol.
pub(super) const DISTANCE_EXTRA: [u8; DISTANCES] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

/// The smallest length of each symbol.
pub(super) const LENGTH_BASE: [u8; 29] = length_bases();
/// The smallest distance of each symbol.
pub(super) const DISTANCE_BASE: [u16; DISTANCES] = distance_bases();

/// The symbol of each length, minus 257.
pub(super) const LENGTH_SYMBOL: [u8; 256] = length_symbols();
/// The symbol of each distance below 256, then of every 128th: beyond 256 no symbol begins in between.
static DISTANCE_SYMBOL: [u8; 512] = distance_symbols();

/// The symbol of a distance.
#[inline(always)]
pub(super) fn distance_symbol(distance: u16) -> u8 {
    let index = if distance < 256 { distance } else { 256 + (distance >> 7) };
    DISTANCE_SYMBOL[index as usize % 512]
}

const fn length_bases() -> [u8; 29] {
    let mut bases = [0; 29];
    let mut symbol = 1;
    while symbol < 28 {
        bases[symbol] = bases[symbol - 1] + (1 << LENGTH_EXTRA[symbol - 1]);
        symbol += 1;
    }
    // The longest length has its own symbol, although the previous symbol's range reaches it.
    bases[28] = 255;
    bases
}

const fn distance_bases() -> [u16; DISTANCES] {
    let mut bases = [0; DISTANCES];
    let mut symbol = 1;
    while symbol < DISTANCES {
        bases[symbol] = bases[symbol - 1] + (1 << DISTANCE_EXTRA[symbol - 1]);
        symbol += 1;
    }
    bases
}

const fn length_symbols() -> [u8; 256] {
    let mut symbols = [0; 256];
    let (mut length, mut symbol) = (0, 0);
    while length < 256 {
        if symbol < 28 && LENGTH_BASE[symbol + 1] as usize == length {
            symbol += 1;
        }
        symbols[length] = symbol as u8;
        length += 1;
    }
    symbols
}

const fn distance_symbols() -> [u8; 512] {
    let mut symbols = [0; 512];
    let (mut index, mut symbol) = (0, 0);
    while index < 512 {
        let distance = if index < 256 { index } else { (index - 256) << 7 };
        if index == 256 {
            symbol = 0;
        }
        while symbol < DISTANCES - 1 && DISTANCE_BASE[symbol + 1] as usize <= distance {
            symbol += 1;
        }
        symbols[index] = symbol as u8;
        index += 1;
    }
    symbols
}
