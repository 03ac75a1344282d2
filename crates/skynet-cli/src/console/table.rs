//! Answers as tables. The console separates columns by tabs; in some answers each column is `name:value`.

use unicode_width::UnicodeWidthStr;

/// The lines, in columns if they are a table.
pub fn format(lines: &[String]) -> String {
    let rows: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| line.split('\t').collect())
        .collect();
    let columns = rows.first().map_or(0, Vec::len);
    if columns < 2 || rows.iter().any(|row| row.len() != columns) {
        return lines.iter().map(|line| format!("{line}\n")).collect();
    }
    let (names, rows) = match names(&rows) {
        Some(names) => {
            let value = |(place, field): (usize, &&str)| match place {
                0 => (*field).to_owned(),
                _ => field
                    .split_once(':')
                    .map_or(*field, |(_, value)| value)
                    .to_owned(),
            };
            let row = |row: &Vec<&str>| row.iter().enumerate().map(value).collect();
            (
                Some(names),
                rows.iter().map(row).collect::<Vec<Vec<String>>>(),
            )
        }
        None => {
            let row = |row: &Vec<&str>| row.iter().map(|field| (*field).to_owned()).collect();
            (None, rows.iter().map(row).collect())
        }
    };
    let all: Vec<&Vec<String>> = names.iter().chain(&rows).collect();
    let wide = |place: usize| all.iter().map(|row| row[place].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    // A column of numbers, below its name.
    let number = |place: usize| rows.iter().all(|row| row[place].parse::<f64>().is_ok());
    let numbers: Vec<bool> = (0..columns).map(number).collect();
    let mut text = String::new();
    for row in all {
        let mut line = String::new();
        for (place, field) in row.iter().enumerate() {
            let blanks = " ".repeat(widths[place] - field.width());
            if numbers[place] {
                line.push_str(&blanks);
                line.push_str(field);
            } else {
                line.push_str(field);
                line.push_str(&blanks);
            }
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The names of the columns, if all rows have the same; the first column has none.
fn names(rows: &[Vec<&str>]) -> Option<Vec<String>> {
    let of = |row: &Vec<&str>| -> Option<Vec<String>> {
        let name = |field: &&str| {
            let (name, _) = field.split_once(':')?;
            let is_name =
                !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
            is_name.then(|| name.to_owned())
        };
        let rest: Option<Vec<String>> = row[1..].iter().map(name).collect();
        let mut all = vec![String::new()];
        all.extend(rest?);
        Some(all)
    };
    let first = of(rows.first()?)?;
    rows.iter()
        .all(|row| of(row).as_ref() == Some(&first))
        .then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn named_columns_have_their_names_above_them() {
        let answer = lines(":00000004\tcpu:0.5\tmqlen:0\n:00000010\tcpu:10.25\tmqlen:12");
        assert_eq!(
            format(&answer),
            "             cpu  mqlen\n:00000004    0.5      0\n:00000010  10.25     12\n"
        );
    }

    #[test]
    fn other_columns_stand_below_each_other_and_the_rest_as_it_is() {
        assert_eq!(
            format(&lines(":8\tsnlua a\n:10\tsnlua b")),
            ":8   snlua a\n:10  snlua b\n"
        );
        assert_eq!(format(&lines("a\tb\nplain")), "a\tb\nplain\n");
        assert_eq!(format(&[]), "");
    }
}
