//! `skynet new`: writes a template.

use crate::args::{New, Template};
use std::fs;

mod templates {
    include!(concat!(env!("OUT_DIR"), "/templates.rs"));

    /// The files of a template: name, content.
    pub fn files(template: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
        FILES.iter().filter_map(move |&(name, text)| {
            Some((name.strip_prefix(template)?.strip_prefix('/')?, text))
        })
    }
}

/// What stands for the project's name in a template.
const NAME: &str = "{{name}}";

/// Names stand in Lua, in HTML and in commands: characters that mean something there do not belong in one.
fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.')
}

/// Makes the folder, which may be there if it is empty, and writes the files.
pub fn make(new: &New) -> Result<(), String> {
    let folder = &new.path;
    let told = |error| format!("{}: {error}", folder.display());
    // `.` and `x/..` are folders with a name, too.
    let absolute = match folder.file_name() {
        Some(_) => folder.clone(),
        None => folder.canonicalize().map_err(told)?,
    };
    let name = match absolute.file_name().and_then(|name| name.to_str()) {
        Some(name) if name.chars().all(is_allowed) => name.to_owned(),
        Some(name) => {
            return Err(format!(
                "{name:?}: the name of a project has letters, digits, blanks, '-', '_' and '.' in it, and nothing else"
            ));
        }
        None => {
            return Err(format!(
                "{}: a project has a name, which is text",
                folder.display()
            ));
        }
    };
    if folder.exists() {
        let mut entries = fs::read_dir(folder).map_err(told)?;
        if entries.next().is_some() {
            return Err(format!(
                "{}: there is something already; a new project wants a new or an empty folder",
                folder.display()
            ));
        }
    }
    let mut names = Vec::new();
    for (file, text) in templates::files(new.template().folder()) {
        let path = folder.join(file);
        let told = |error| format!("{}: {error}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(told)?;
        }
        fs::write(&path, text.replace(NAME, &name)).map_err(told)?;
        // The crate that a project in Rust gets has many.
        if !file.starts_with("vendor/") {
            names.push(file);
        }
    }
    println!("{}:", folder.display());
    for file in names {
        println!("  {file}");
    }
    let folder = folder.display().to_string();
    let folder = match folder.contains(' ') {
        true => format!("'{folder}'"),
        false => folder,
    };
    let first = match new.template() {
        Template::Rust => "`cargo build --release`, then ",
        Template::Cluster => "`skynet run . -- db` in another terminal, then ",
        _ => "then ",
    };
    println!(
        "\nNext: `cd {folder}`, {first}`skynet run` starts it, and `skynet test` runs its tests. README.md says more."
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::templates;
    use crate::args::Template;
    use clap::ValueEnum;

    #[test]
    fn every_template_has_what_it_promises() {
        for template in Template::value_variants() {
            let files: Vec<_> = templates::files(template.folder()).collect();
            let has = |end: &str| files.iter().any(|(name, _)| name.ends_with(end));
            for needed in ["README.md", "main.lua", "config", "_test.lua"] {
                assert!(has(needed), "{template:?} has no {needed}");
            }
        }
    }
}
