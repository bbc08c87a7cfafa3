//! The size of an upload's parts. S3 takes at most 10,000 parts, and some services require all but the last to be
//! equal; so the size is chosen before the first part, from an estimate of the whole size.

/// S3's limit.
pub(crate) const MOST_PARTS: u64 = 10_000;
const MIB: u64 = 1 << 20;
/// With smaller parts, requests would cost more than their content. S3 allows 5 MiB.
const SMALLEST: u64 = 8 * MIB;
/// S3's limit.
const LARGEST: u64 = 5 << 30;

/// The equal parts of one upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartSize {
    bytes: u64,
    estimate: u64,
}

/// The archive outgrew its parts, or no parts can hold it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the archive has more than {limit} bytes, the limit of its upload: its size was estimated at {estimate} \
     bytes, and S3 takes {MOST_PARTS} parts of the size chosen for that; make the backup again, or, if this \
     recurs, divide the sources between two backup services"
)]
pub struct TooManyParts {
    limit: u64,
    estimate: u64,
}

impl PartSize {
    /// For an archive of about `estimate` bytes: whole MiB, from 8 MiB to 5 GiB, so that an archive a quarter larger
    /// still fits.
    pub(crate) fn for_estimate(estimate: u64) -> Self {
        let with_margin = estimate.saturating_add(estimate / 4);
        let bytes =
            with_margin.div_ceil(MOST_PARTS).div_ceil(MIB).saturating_mul(MIB).clamp(SMALLEST, LARGEST);
        Self { bytes, estimate }
    }

    /// Allows parts that are too small for S3.
    #[cfg(test)]
    pub(crate) fn of(bytes: u64) -> Self {
        Self { bytes, estimate: 0 }
    }

    /// The length of each part but the last, in bytes.
    pub(crate) fn bytes(self) -> u64 {
        self.bytes
    }

    /// The offset of part `number`, counted from 0.
    ///
    /// # Errors
    /// [`TooManyParts`] if the number exceeds S3's limit.
    pub(crate) fn offset(self, number: u64) -> Result<u64, TooManyParts> {
        if number < MOST_PARTS {
            return Ok(number * self.bytes);
        }
        Err(TooManyParts { limit: MOST_PARTS * self.bytes, estimate: self.estimate })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parts_of(bytes: u64, size: PartSize) -> u64 {
        bytes.div_ceil(size.bytes())
    }

    #[test]
    fn an_archive_that_is_a_quarter_larger_than_its_estimate_fits_at_any_size() {
        // Sizes up to S3's limit with its largest parts: around each power of two, and pseudo-random in between.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let powers = (0..45).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) + 1]);
        let mixed = (0..10_000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 16) % (39 << 40)
        });
        for estimate in powers.chain(mixed) {
            let size = PartSize::for_estimate(estimate);
            assert!(parts_of(estimate + estimate / 4, size) <= MOST_PARTS, "{estimate}: {size:?}");
            assert!(
                (SMALLEST..=LARGEST).contains(&size.bytes()) && size.bytes().is_multiple_of(MIB),
                "{size:?}"
            );
            let smaller = PartSize { bytes: size.bytes() - MIB, estimate };
            let is_smallest =
                size.bytes() == SMALLEST || parts_of(estimate + estimate / 4, smaller) > MOST_PARTS;
            assert!(is_smallest, "{estimate}: {size:?} is larger than it must be");
        }
    }

    #[test]
    fn small_archives_have_parts_of_eight_mib_and_four_tib_fit() {
        for estimate in [0, 1, 1 << 30, 62 << 30] {
            assert_eq!(PartSize::for_estimate(estimate).bytes(), 8 * MIB, "{estimate}");
        }
        let size = PartSize::for_estimate(4 << 40);
        assert_eq!(size.bytes(), 525 * MIB);
        assert!(parts_of(5 << 40, size) <= MOST_PARTS);
        assert_eq!(PartSize::for_estimate(u64::MAX).bytes(), LARGEST);
    }

    #[test]
    fn an_archive_that_outgrows_its_estimate_is_refused_with_the_estimate_and_the_remedy() {
        let size = PartSize::for_estimate(1000);
        assert_eq!(size.offset(0).unwrap(), 0);
        assert_eq!(size.offset(MOST_PARTS - 1).unwrap(), (MOST_PARTS - 1) * 8 * MIB);
        let message = size.offset(MOST_PARTS).unwrap_err().to_string();
        for part in ["83886080000 bytes", "estimated at 1000 bytes", "10000 parts", "make the backup again"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
