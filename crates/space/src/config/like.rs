//! Methods that learn as another one does, with other settings.

/// Puts for `like = NAME` and `with = { … }` what NAME learns, with these settings.
pub(super) fn resolve(table: &mut toml::Table) -> std::result::Result<(), String> {
    let Some(toml::Value::Array(methods)) = table.get_mut("methods") else { return Ok(()) };
    for at in 0..methods.len() {
        let (before, rest) = methods.split_at_mut(at);
        let Some(method) = rest[0].as_table_mut() else { continue };
        let Some(like) = method.remove("like") else { continue };
        let name = like.as_str().ok_or("`like` is the name of a method")?;
        let is_it = |other: &&toml::Value| other.get("name").and_then(|n| n.as_str()) == Some(name);
        let other = before.iter().find(is_it);
        let other =
            other.ok_or_else(|| format!("like = \"{name}\": there is no such method before"))?;
        let mut learn =
            other.get("learn").cloned().ok_or_else(|| format!("{name} learns nothing"))?;
        if let Some(with) = method.remove("with") {
            let with = with.as_table().ok_or("`with` is a table of settings")?.clone();
            let inner = learn.as_table_mut().and_then(|t| t.iter_mut().next());
            let inner = inner.and_then(|(_, inner)| inner.as_table_mut());
            inner.ok_or_else(|| format!("{name} has no settings"))?.extend(with);
        }
        method.insert("learn".into(), learn);
    }
    Ok(())
}
