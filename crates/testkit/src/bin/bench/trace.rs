//! When did real requests come, and how large were they?

use std::path::Path;
use std::time::Duration;

use crate::Outcome;

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// After the first one.
    pub(crate) at: Duration,
    /// Tokens of its context.
    pub(crate) context: u32,
    /// Tokens that were generated for it.
    pub(crate) generated: u32,
}

/// Reads a trace of the Azure Public Dataset: `TIMESTAMP,ContextTokens,GeneratedTokens`.
pub(crate) fn read(path: &Path) -> Outcome<Vec<Arrival>> {
    parse(&std::fs::read_to_string(path)?).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn parse(text: &str) -> Outcome<Vec<Arrival>> {
    let mut lines = text.lines().enumerate();
    if !lines
        .next()
        .is_some_and(|(_, head)| head.starts_with("TIMESTAMP,"))
    {
        return Err("the first line is not TIMESTAMP,ContextTokens,GeneratedTokens".into());
    }
    let (mut arrivals, mut first) = (Vec::new(), None);
    for (index, line) in lines {
        let wrong = || format!("line {} is not a time and two counts: {line}", index + 1);
        let (at, context, generated) = arrival(line).ok_or_else(wrong)?;
        let first = *first.get_or_insert(at);
        let at = at.checked_sub(first).ok_or_else(wrong)?;
        if arrivals.last().is_some_and(|before: &Arrival| before.at > at) {
            return Err(format!("line {} is earlier than the one before it", index + 1).into());
        }
        arrivals.push(Arrival {
            at,
            context,
            generated,
        });
    }
    if arrivals.is_empty() {
        return Err("there is no request in it".into());
    }
    Ok(arrivals)
}

fn arrival(line: &str) -> Option<(Duration, u32, u32)> {
    let mut fields = line.trim_end().split(',');
    let (_, time) = fields.next()?.split_once(' ')?;
    let mut parts = time.split(':');
    let (hours, minutes): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let seconds: f64 = parts.next()?.parse().ok()?;
    let at = Duration::from_secs(hours * 3600 + minutes * 60) + Duration::try_from_secs_f64(seconds).ok()?;
    Some((at, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n";

    #[test]
    fn arrivals_count_from_the_first() {
        let text = format!("{HEAD}2023-11-16 18:59:59.5000000,374,44\r\n2023-11-16 19:00:01.7500000,396,109");
        let arrival = |millis, context, generated| Arrival {
            at: Duration::from_millis(millis),
            context,
            generated,
        };
        assert_eq!(
            parse(&text).unwrap(),
            [arrival(0, 374, 44), arrival(2_250, 396, 109)]
        );
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let complaint = |lines: &str| parse(&format!("{HEAD}{lines}")).unwrap_err().to_string();
        assert!(complaint("").starts_with("there is no request"));
        assert!(complaint("2023-11-16 18:15:46.68,374").starts_with("line 2 is not"));
        let back = "2023-11-16 18:15:46.68,1,1\n2023-11-16 18:15:48,1,1\n2023-11-16 18:15:47,1,1";
        assert!(complaint(back).starts_with("line 4 is earlier"));
        assert!(parse("a,b,c\n").is_err());
    }
}
