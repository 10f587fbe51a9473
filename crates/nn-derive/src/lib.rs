//! The `Module` derive macro of retrograd-nn.
//!
//! This room reads a type's definition and writes the three walks of `retrograd_nn::Module`: `visit`,
//! `visit_mut` and `aliases`. It decides names and bounds, nothing else; what a slot is, and what is done with
//! it, belongs to `retrograd_nn::module`. `attr` reads `#[module(..)]`, `bounds` finds the generic bounds.
#![forbid(unsafe_code)]

mod attr;
mod bounds;

use attr::{Alias, Container};
use proc_macro::TokenStream;
use proc_macro2::{Ident, TokenStream as Tokens};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Result, parse_macro_input};

/// Implements `Module` for a struct or an enum by visiting its fields in the order of their declaration.
///
/// **Names.** A named field adds its name to the path, an unnamed one its position: `blocks.0.fc1.weight`. The
/// only field of a tuple struct or of a variant adds nothing: the wrapper bears the names of what it wraps, so
/// a type can be wrapped, or made one of several variants, without renaming what is in its files. Of an enum
/// the active variant is visited; the variant's name is no part of the path.
///
/// **Fields.** Every field type must be a `Module`, so that no parameter can be forgotten; numbers, strings,
/// options, vectors, arrays, tuples and boxes are. `#[module(skip)]` leaves out a field whose type is none.
///
/// **Generics.** A type parameter that a visited field mentions gets the bound `Module`.
///
/// **Aliases.** `#[module(alias(head.weight = "embed.weight"))]` on a struct that uses one parameter twice
/// lets state dicts carry it under the second name too. A name that is no path of identifiers and numbers goes
/// into quotes: `alias("blocks.0.1" = "embed.weight")`. An alias of what is no slot, of an option that is
/// `None` for one, takes no entry.
///
/// **Crate.** The code names the facade, `::retrograd`; `#[module(crate = "retrograd_nn")]` names another crate
/// that exports the same, for whoever depends on the parts alone.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// One shape that a value can have: a struct, or a variant of an enum.
struct Form<'a> {
    /// `Self` or `Self::Variant`.
    path: Tokens,
    visited: Vec<Visited<'a>>,
}

/// A field that is visited: how it is matched, under which variable, and the segment it adds to the path.
struct Visited<'a> {
    member: syn::Member,
    variable: Ident,
    segment: Option<String>,
    ty: &'a syn::Type,
}

fn expand(input: &DeriveInput) -> Result<Tokens> {
    let container = attr::container(&input.attrs)?;
    let forms = forms(input)?;
    check_aliases(input, &container, &forms)?;

    let root = &container.root;
    let name = &input.ident;
    let visited_types = forms.iter().flat_map(|form| form.visited.iter().map(|field| field.ty));
    let generics = bounds::with_module_bounds(&input.generics, visited_types, root);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let visit = walk(root, &forms, "visit");
    let visit_mut = walk(root, &forms, "visit_mut");
    let nested = walk(root, &forms, "aliases");
    let own = container.aliases.iter().map(|Alias { name, target, .. }| {
        quote!(f(&#root::derive_support::join(path, #name), &#root::derive_support::join(path, #target));)
    });
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #root::derive_support::Module for #name #type_generics #where_clause {
            fn visit<'module>(
                &'module self,
                path: &str,
                f: &mut dyn ::core::ops::FnMut(&str, #root::derive_support::Slot<'module>),
            ) {
                #visit
            }
            fn visit_mut<'module>(
                &'module mut self,
                path: &str,
                f: &mut dyn ::core::ops::FnMut(&str, #root::derive_support::SlotMut<'module>),
            ) {
                #visit_mut
            }
            fn aliases(&self, path: &str, f: &mut dyn ::core::ops::FnMut(&str, &str)) {
                #nested
                #(#own)*
            }
        }
    })
}

/// The forms of the type; fields marked `skip` are left out.
fn forms(input: &DeriveInput) -> Result<Vec<Form<'_>>> {
    match &input.data {
        Data::Struct(data) => Ok(vec![Form { path: quote!(Self), visited: visited(&data.fields)? }]),
        Data::Enum(data) => data.variants.iter().map(variant_form).collect(),
        Data::Union(data) => Err(Error::new(
            data.union_token.span,
            "Module cannot be derived for a union: which field is active is unknown; use an enum",
        )),
    }
}

fn variant_form(variant: &syn::Variant) -> Result<Form<'_>> {
    attr::reject(&variant.attrs, "a variant takes no #[module(..)]; mark its fields")?;
    let name = &variant.ident;
    Ok(Form { path: quote!(Self::#name), visited: visited(&variant.fields)? })
}

fn visited(fields: &Fields) -> Result<Vec<Visited<'_>>> {
    let transparent = matches!(fields, Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1);
    let mut visited = Vec::new();
    for (position, (field, member)) in fields.iter().zip(fields.members()).enumerate() {
        if attr::is_skipped(&field.attrs)? {
            continue;
        }
        let segment = match &member {
            _ if transparent => None,
            syn::Member::Named(name) => Some(name.unraw().to_string()),
            syn::Member::Unnamed(index) => Some(index.index.to_string()),
        };
        visited.push(Visited { member, variable: format_ident!("field{position}"), segment, ty: &field.ty });
    }
    Ok(visited)
}

/// What an alias stands for must start at a visited field of a struct with named fields; deeper segments are only known
/// when the model runs. The alias itself may be any name.
fn check_aliases(input: &DeriveInput, container: &Container, forms: &[Form<'_>]) -> Result<()> {
    let Some(first) = container.aliases.first() else { return Ok(()) };
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            first.span,
            "alias: only a struct can name one parameter twice; this is an enum",
        ));
    };
    if !matches!(data.fields, Fields::Named(_)) {
        return Ok(());
    }
    let fields: Vec<&str> =
        forms.iter().flat_map(|form| &form.visited).filter_map(|f| f.segment.as_deref()).collect();
    for alias in &container.aliases {
        let head = alias.target.split('.').next().unwrap_or_default();
        if !fields.contains(&head) {
            let message = format!("alias: no visited field `{head}`: the fields are {}", fields.join(", "));
            return Err(Error::new(alias.span, message));
        }
    }
    Ok(())
}

/// A match over the forms that calls `method` on every visited field with its path.
fn walk(root: &syn::Path, forms: &[Form<'_>], method: &str) -> Tokens {
    let method = format_ident!("{method}");
    if forms.is_empty() {
        return quote!(match *self {});
    }
    let arms = forms.iter().map(|form| {
        let path = &form.path;
        let patterns = form.visited.iter().map(|Visited { member, variable, .. }| quote!(#member: #variable));
        let calls = form.visited.iter().map(|Visited { variable, segment, ty, .. }| {
            let at = match segment {
                Some(segment) => quote!(&#root::derive_support::join(path, #segment)),
                None => quote!(path),
            };
            // The type is spelled out, under its own span, so that an error about it points at the field.
            quote_spanned!(ty.span()=> <#ty as #root::derive_support::Module>::#method(#variable, #at, f);)
        });
        quote!(#path { #(#patterns,)* .. } => { #(#calls)* })
    });
    quote! {
        let _ = (&path, &f);
        match self { #(#arms)* }
    }
}
