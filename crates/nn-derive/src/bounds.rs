//! Finds the bounds of a generic type: `T: Module` for every type parameter that a visited field mentions, and
//! `T::Assoc: Module` where a field mentions an associated type instead.
//!
//! Bounds stand on parameters, not on field types: a bound on the type of a field would make a recursive type
//! require itself.

use proc_macro2::Ident;
use std::collections::BTreeSet;
use syn::visit::{self, Visit};
use syn::{Generics, Path, Type, TypePath};

/// `generics` with the bounds that visiting fields of `types` needs; `root` is the crate that holds `Module`.
pub(crate) fn with_module_bounds<'a>(
    generics: &Generics,
    types: impl Iterator<Item = &'a Type>,
    root: &Path,
) -> Generics {
    let mut found = Mentions {
        declared: generics.type_params().map(|p| p.ident.clone()).collect(),
        ..Mentions::default()
    };
    if !found.declared.is_empty() {
        types.for_each(|ty| found.visit_type(ty));
    }
    let mut generics = generics.clone();
    for param in generics.type_params_mut() {
        if found.params.contains(&param.ident) {
            param.bounds.push(syn::parse_quote!(#root::derive_support::Module));
        }
    }
    if !found.projections.is_empty() {
        let clause = generics.make_where_clause();
        for projection in found.projections {
            clause.predicates.push(syn::parse_quote!(#projection: #root::derive_support::Module));
        }
    }
    generics
}

/// What the fields mention of the declared type parameters.
#[derive(Default)]
struct Mentions {
    declared: BTreeSet<Ident>,
    params: BTreeSet<Ident>,
    projections: Vec<TypePath>,
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_type_path(&mut self, path: &'ast TypePath) {
        let segments = &path.path.segments;
        let declared =
            segments.first().filter(|first| path.qself.is_none() && self.declared.contains(&first.ident));
        match declared {
            Some(first) if segments.len() == 1 => {
                self.params.insert(first.ident.clone());
            }
            Some(_) => self.projections.push(path.clone()),
            // A marker holds no value of its type, so it asks nothing of it.
            None if segments.last().is_some_and(|last| last.ident == "PhantomData") => {}
            None => visit::visit_type_path(self, path),
        }
    }
}
