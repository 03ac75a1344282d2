//! What the tests see of a Markdown file.

use std::collections::BTreeSet;

/// The lines of a Markdown file that are no code.
pub fn prose(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split("```").step_by(2);
    pieces.flat_map(str::lines)
}

/// The blocks of code: language and text.
pub fn blocks(text: &str) -> Vec<(&str, &str)> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect()
}

/// The targets of the links `[text](target)`, without those to the web.
pub fn links(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(text) {
        let plain: String = line.split('`').step_by(2).collect();
        let found = plain
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        targets.extend(
            found
                .filter(|target| !target.contains("://"))
                .map(str::to_owned),
        );
    }
    targets
}

/// The headings: level and text.
pub fn headings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    prose(text).filter_map(|line| {
        let text = line.trim_start_matches('#');
        let level = line.len() - text.len();
        text.strip_prefix(' ')
            .filter(|_| level > 0)
            .map(|text| (level, text))
    })
}

/// What a link to a part of the file may say behind its `#`.
pub fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, heading) in headings(text) {
        let word: String = heading
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        let mut anchor = word.clone();
        let mut count = 0;
        while !anchors.insert(anchor) {
            count += 1;
            anchor = format!("{word}-{count}");
        }
    }
    anchors
}
