//! The settings of a node that runs one file of tests.

use crate::Settings;
use crate::args::TestNode;
use crate::project::{folder_of, places};

/// Of the hidden command `skynet test-node`. With a config file its settings stay, but for the application, which is the
/// service that runs the tests; where services and modules are looked for, the project's folders follow the config's.
pub fn settings(node: &TestNode) -> Result<Settings, String> {
    let beside = folder_of(&node.file);
    let fakes = node.root.join("test/fakes");
    let places = places(&node.root, &[&fakes, &beside])?;
    let mut settings = Settings {
        config: node.config.clone(),
        ..Settings::default()
    };
    if node.config.is_some() {
        settings.append = places;
        settings.append.retain(|(key, _)| key != "harbor");
        // The log is read here, and the node ends soon.
        settings.remove = vec!["daemon".into(), "logger".into()];
    } else {
        settings.set = places;
    }
    let path = |path: &std::path::Path| path.display().to_string();
    settings.set.extend([
        ("start".into(), "test_runner".into()),
        ("test_file".into(), path(&node.file)),
        ("test_report".into(), path(&node.report)),
        ("test_limit".into(), node.limit.to_string()),
    ]);
    if let Some(filter) = &node.filter {
        settings.set.push(("test_filter".into(), filter.clone()));
    }
    settings.add(&node.node);
    Ok(settings)
}
