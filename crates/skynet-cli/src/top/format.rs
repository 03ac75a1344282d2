//! Figures as people read them, in few characters.

/// Bytes, in five characters at most: `812`, `1.5K`, `23.4M`, `1023M`, `1.2T`.
pub fn bytes(number: f64) -> String {
    scaled(number, 1024.0, &["", "K", "M", "G", "T", "P"])
}

/// How many, in five characters at most: `9999`, `12.3k`, `4.5M`.
pub fn count(number: f64) -> String {
    if number < 9999.5 {
        return match number {
            // What happens now and then is not nothing.
            small if small > 0.0 && small < 9.95 => {
                let text = format!("{small:.1}");
                text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
            }
            number => format!("{number:.0}"),
        };
    }
    scaled(number, 1000.0, &["", "k", "M", "G", "T", "P"])
}

fn scaled(number: f64, step: f64, units: &[&str]) -> String {
    let (mut number, mut place) = (number.max(0.0), 0);
    // What would be rounded up to the step has the next unit.
    while number >= step - 0.5 && place + 1 < units.len() {
        number /= step;
        place += 1;
    }
    match place {
        0 => format!("{number:.0}"),
        _ if number < 99.95 => format!("{number:.1}{}", units[place]),
        _ => format!("{number:.0}{}", units[place]),
    }
}

/// Percent of one processor.
pub fn percent(number: f64) -> String {
    match number {
        large if large >= 999.5 => format!("{large:.0}"),
        number => format!("{number:.1}"),
    }
}

/// CPU time in seconds, in eight characters at most: `0.012`, `59.100`, `12:03.4`, `2h05:07`.
pub fn cpu_time(seconds: f64) -> String {
    if seconds < 59.9995 {
        return format!("{seconds:.3}");
    }
    let tenths = (seconds * 10.0).round() as u64;
    if tenths < 36000 {
        return format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10);
    }
    duration(seconds)
}

/// A time in seconds: `59s`, `12m03s`, `2h05m07s`, `3d04h05m`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86400 => format!("{}h{:02}m{:02}s", s / 3600, s / 60 % 60, s % 60),
        _ => format!("{}d{:02}h{:02}m", s / 86400, s / 3600 % 24, s / 60 % 60),
    }
}

/// What is not known.
pub const UNKNOWN: &str = "-";

/// The figure, or that it is not known.
pub fn known(number: Option<f64>, shown: fn(f64) -> String) -> String {
    number.map_or_else(|| UNKNOWN.into(), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stay_short_and_keep_their_size() {
        let shown: Vec<_> = [0.0, 1023.0, 1024.0, 1536.0, 102_400.0, 1_048_575.0, 5e9]
            .map(bytes)
            .into();
        assert_eq!(shown, ["0", "1023", "1.0K", "1.5K", "100K", "1.0M", "4.7G"]);
        let shown: Vec<_> = [0.0, 0.25, 3.01, 9999.0, 9999.6, 123_456.0, 2.5e6]
            .map(count)
            .into();
        assert_eq!(shown, ["0", "0.2", "3", "9999", "10.0k", "123k", "2.5M"]);
        let shown: Vec<_> = [0.0, 0.0123, 61.25, 7507.0].map(cpu_time).into();
        assert_eq!(shown, ["0.000", "0.012", "1:01.3", "2h05m07s"]);
        let shown: Vec<_> = [5.0, 125.0, 7507.0, 90000.0].map(duration).into();
        assert_eq!(shown, ["5s", "2m05s", "2h05m07s", "1d01h00m"]);
        assert_eq!(known(None, percent), "-");
    }
}
