//! Which ports may be connected to.

use std::{fmt, ops::RangeInclusive};

/// Ports that may be connected to, as a list of ports and ranges. The default is what the web uses: 80, 443 and 1024 and
/// above, without [`Ports::SERVICES`].
#[derive(Clone, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

/// A list of ports that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a port, a range such as 8000-8999, or one of these after an exclamation mark, which takes it out again"
)]
pub struct BadPorts(pub String);

impl Ports {
    /// Ports of services that are not of the web and that answer whoever connects, or take HTTP for commands: SMB and
    /// databases, caches, queues, Docker, Kubernetes and others.
    pub const SERVICES: [u16; 33] = [
        1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5671, 5672, 5900, 5984, 5985, 5986,
        6000, 6379, 7000, 7001, 8125, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 25672, 26379, 27017,
    ];

    /// Every port.
    pub fn all() -> Self {
        Self(vec![0..=u16::MAX])
    }

    /// 80, 443, and 1024 and above without [`Ports::SERVICES`].
    pub fn web() -> Self {
        let mut ports = Self(vec![80..=80, 443..=443, 1024..=u16::MAX]);
        for port in Self::SERVICES {
            ports.remove(&(port..=port));
        }
        ports
    }

    /// Reads a list: `80,443,1024-65535,!6379`. Its parts apply from left to right; `web` stands for [`Ports::web`], `all`
    /// for every port.
    pub fn parse(text: &str) -> Result<Self, BadPorts> {
        let mut ports = Self(Vec::new());
        for part in text.split(',').map(str::trim) {
            match part {
                "web" => ports.0.extend(Self::web().0),
                "all" => ports = Self::all(),
                _ => match part.strip_prefix('!') {
                    Some(out) => ports.remove(&range(out, part)?),
                    None => ports.0.push(range(part, part)?),
                },
            }
        }
        Ok(ports)
    }

    /// Whether this port may be connected to.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    fn remove(&mut self, out: &RangeInclusive<u16>) {
        let (first, last) = (*out.start(), *out.end());
        let parts = std::mem::take(&mut self.0).into_iter().flat_map(|range| {
            let (start, end) = range.into_inner();
            let below = first.checked_sub(1).filter(|below| start <= *below).map(|below| start..=below.min(end));
            let above = last.checked_add(1).filter(|above| *above <= end).map(|above| above.max(start)..=end);
            [below, above]
        });
        self.0 = parts.flatten().collect();
    }
}

fn range(text: &str, part: &str) -> Result<RangeInclusive<u16>, BadPorts> {
    let bad = || BadPorts(part.to_owned());
    let number = |text: &str| text.trim().parse::<u16>().map_err(|_| bad());
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if first <= last { Ok(first..=last) } else { Err(bad()) }
}

impl Default for Ports {
    fn default() -> Self {
        Self::web()
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ports({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_has_its_ports_and_no_database() {
        let web = Ports::default();
        for port in [80, 443, 1024, 3000, 8080, 8443, 9222, 65_535] {
            assert!(web.contains(port), "{port}");
        }
        for port in [0, 21, 22, 25, 53, 111, 389, 445, 1023].into_iter().chain(Ports::SERVICES) {
            assert!(!web.contains(port), "{port}");
        }
    }

    #[test]
    fn lists_of_ports_are_read_from_left_to_right() {
        let ports = Ports::parse("80, 8000-8999,!8500-8599,8550").expect("ports");
        assert_eq!(ports.to_string(), "80,8000-8499,8600-8999,8550");
        assert_eq!(Ports::parse(&ports.to_string()), Ok(ports));
        assert_eq!(Ports::parse("all,!0-1023,!65535").expect("ports").to_string(), "1024-65534");
        assert!(Ports::parse("web,22").expect("ports").contains(22));
        assert!(!Ports::parse("all,!22").expect("ports").contains(22));
        for text in ["", "80,", "a", "-1", "65536", "9-1", "80-", "!!80", "http"] {
            assert!(Ports::parse(text).is_err(), "{text:?}");
        }
    }
}
