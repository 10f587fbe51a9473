//! Reads `#[module(..)]`: `alias(..)` and `crate = ".."` on a type, `skip` on a field.
//!
//! Whatever else is written there is an error at its own place that says what may stand there.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Attribute, Error, LitStr, Path, Result, Token, parenthesized};

/// What a type asks for.
pub(crate) struct Container {
    /// The crate whose `derive_support` the code names.
    pub(crate) root: Path,
    pub(crate) aliases: Vec<Alias>,
}

/// A second name of a parameter, both relative to the type that bears the attribute.
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) span: Span,
}

/// Reads the attributes of a type.
pub(crate) fn container(attrs: &[Attribute]) -> Result<Container> {
    let mut container = Container { root: syn::parse_quote!(::retrograd), aliases: Vec::new() };
    for attr in module_attrs(attrs) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("alias") {
                let list;
                parenthesized!(list in meta.input);
                let before = container.aliases.len();
                while !list.is_empty() {
                    container.aliases.push(alias(&list)?);
                    if !list.is_empty() {
                        list.parse::<Token![,]>()?;
                    }
                }
                if container.aliases.len() == before {
                    return Err(meta.error(r#"alias: no pair given; write alias(name = "target")"#));
                }
                Ok(())
            } else if meta.path.is_ident("crate") {
                container.root = meta.value()?.parse::<LitStr>()?.parse()?;
                Ok(())
            } else if meta.path.is_ident("skip") {
                Err(meta.error("skip: stands on a field, not on the type"))
            } else {
                Err(meta.error(r#"unknown: a type takes `alias(name = "target")` and `crate = "path"`"#))
            }
        })?;
    }
    Ok(container)
}

/// Whether a field is marked `#[module(skip)]`.
pub(crate) fn is_skipped(attrs: &[Attribute]) -> Result<bool> {
    let mut skipped = false;
    for attr in module_attrs(attrs) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("skip") {
                return Err(meta.error("unknown: a field takes `skip` only"));
            }
            if skipped {
                return Err(meta.error("skip: given twice"));
            }
            skipped = true;
            Ok(())
        })?;
    }
    Ok(skipped)
}

/// Refuses `#[module(..)]` where none may stand.
pub(crate) fn reject(attrs: &[Attribute], message: &str) -> Result<()> {
    match module_attrs(attrs).next() {
        Some(attr) => Err(Error::new_spanned(attr, message)),
        None => Ok(()),
    }
}

fn module_attrs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("module"))
}

/// One pair, `head.weight = "embed.weight"`; the left side may be quoted too.
fn alias(input: ParseStream<'_>) -> Result<Alias> {
    let span = input.span();
    let name = if input.peek(LitStr) { input.parse::<LitStr>()?.value() } else { bare_name(input)? };
    input.parse::<Token![=]>()?;
    let target = input.parse::<LitStr>()?;
    let alias = Alias { name, target: target.value(), span };
    for (text, span) in [(&alias.name, span), (&alias.target, target.span())] {
        if text.is_empty()
            || text.split('.').any(|part| part.is_empty() || part.contains(char::is_whitespace))
        {
            let message = format!("alias: not a dotted name: `{text}`; write it like blocks.0.weight");
            return Err(Error::new(span, message));
        }
    }
    if alias.name == alias.target {
        return Err(Error::new(span, format!("alias: `{}` names itself", alias.name)));
    }
    Ok(alias)
}

/// The tokens before `=`, joined: `blocks.0.1.weight` arrives as an identifier, dots and a float literal.
fn bare_name(input: ParseStream<'_>) -> Result<String> {
    let mut name = String::new();
    while !input.is_empty() && !input.peek(Token![=]) {
        let token = input.parse::<proc_macro2::TokenTree>()?.to_string();
        name.push_str(token.strip_prefix("r#").unwrap_or(&token));
    }
    Ok(name)
}
