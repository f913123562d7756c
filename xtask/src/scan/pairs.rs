//! Which delimiters belong together?

/// Opening and closing delimiters by token index, ascending by the opening ones. Nearly every file has less than 65,536
/// tokens, and a large workspace two million delimiters.
#[derive(Debug)]
pub(crate) enum Pairs {
    Narrow(Box<[(u16, u16)]>),
    Wide(Box<[(u32, u32)]>),
}

impl Default for Pairs {
    fn default() -> Self {
        Self::Narrow(Box::default())
    }
}

impl Pairs {
    /// Of pairs, ascending.
    pub(super) fn of(all: &[(u32, u32)]) -> Self {
        let largest = all.iter().map(|(_, close)| *close).max().unwrap_or_default();
        if u16::try_from(largest).is_err() {
            return Self::Wide(all.into());
        }
        let low = |index: u32| {
            let [first, second, ..] = index.to_le_bytes();
            u16::from_le_bytes([first, second])
        };
        Self::Narrow(
            all.iter()
                .map(|(open, close)| (low(*open), low(*close)))
                .collect(),
        )
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(all) => all.len(),
            Self::Wide(all) => all.len(),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<(usize, usize)> {
        match self {
            Self::Narrow(all) => all
                .get(at)
                .map(|(open, close)| (usize::from(*open), usize::from(*close))),
            Self::Wide(all) => all.get(at).map(|(open, close)| (wide(*open), wide(*close))),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// The token that closes the delimiter at `open`.
    pub(crate) fn closing(&self, open: usize) -> Option<usize> {
        let at = match self {
            Self::Narrow(all) => {
                let open = u16::try_from(open).ok()?;
                all.binary_search_by_key(&open, |pair| pair.0)
            }
            Self::Wide(all) => {
                let open = u32::try_from(open).ok()?;
                all.binary_search_by_key(&open, |pair| pair.0)
            }
        };
        self.get(at.ok()?).map(|(_, close)| close)
    }
}

fn wide(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_small_and_of_large_files_are_found_alike() {
        for far in [0_u32, 65_000, 66_000] {
            let all = [(1, far + 9), (2, 3), (far + 5, far + 6)];
            let pairs = Pairs::of(&all);
            assert_eq!(matches!(pairs, Pairs::Wide(_)), far == 66_000);
            let told: Vec<_> = all
                .iter()
                .map(|(open, close)| (wide(*open), wide(*close)))
                .collect();
            assert_eq!(pairs.iter().collect::<Vec<_>>(), told);
            for (open, close) in told {
                assert_eq!(pairs.closing(open), Some(close));
                assert_eq!(pairs.closing(close), None);
            }
            assert_eq!(
                (pairs.len(), pairs.get(3), pairs.closing(70_000)),
                (3, None, None)
            );
        }
    }
}
