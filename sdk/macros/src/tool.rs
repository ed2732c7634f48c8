//! `#[tool]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, FnArg, ItemFn, Lit, LitStr, Meta, Path, Result, ReturnType};

struct Arguments {
    title: LitStr,
    documents: Option<Path>,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(item)?;
    let arguments = parse(arguments, &function)?;
    check(&function)?;

    let name = &function.sig.ident;
    let visibility = &function.vis;
    let title = &arguments.title;
    let description = description(&function)?;
    let doc = format!("The tool [`{name}()`].");
    let (input, call) = match function.sig.inputs.first() {
        Some(FnArg::Typed(argument)) => {
            let ty = &argument.ty;
            (quote!(#ty), quote!(#name(input)))
        }
        _ => (quote!(::sallyport_sdk::__private::NoInput), quote!({ let _ = input; #name() })),
    };
    let ReturnType::Type(_, result) = &function.sig.output else {
        return Err(Error::new(function.sig.span(), "a tool function returns `Result<T, Failure>`"));
    };
    // Spanned, so that a function that returns something else is told at its return type.
    let output = quote_spanned!(result.span()=> <#result as ::sallyport_sdk::__private::ToolResult>::Output);
    let documents = arguments.documents.map(|path| {
        quote! {
            fn documents(output: &Self::Output) -> ::std::vec::Vec<::std::string::String> {
                #path(output)
            }
        }
    });

    Ok(quote! {
        #function

        // A struct with braces lives beside the function: one `use` brings both.
        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #[derive(Debug)]
        #visibility struct #name {}

        impl ::sallyport_sdk::__private::Tool for #name {
            const NAME: &'static str = ::core::stringify!(#name);
            const TITLE: &'static str = #title;
            const DESCRIPTION: &'static str = #description;
            type Input = #input;
            type Output = #output;
            fn call(input: Self::Input) -> ::core::result::Result<Self::Output, ::sallyport_sdk::Failure> {
                #call
            }
            #documents
        }
    })
}

fn parse(arguments: TokenStream, function: &ItemFn) -> Result<Arguments> {
    let (mut title, mut documents) = (None, None);
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("title") {
            let text: LitStr = meta.value()?.parse()?;
            if text.value().trim().is_empty() {
                return Err(Error::new(text.span(), "a tool's title may not be empty"));
            }
            title = Some(text);
            Ok(())
        } else if meta.path.is_ident("documents") {
            documents = Some(meta.value()?.parse()?);
            Ok(())
        } else {
            Err(meta.error("expected `title = \"…\"` or `documents = path`"))
        }
    });
    syn::parse::Parser::parse2(parser, arguments)?;
    let Some(title) = title else {
        return Err(Error::new(function.sig.ident.span(), "a tool needs a title: `#[tool(title = \"…\")]`"));
    };
    Ok(Arguments { title, documents })
}

fn check(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    let refuse = |span, message: &str| Err(Error::new(span, message));
    if let Some(asyncness) = &signature.asyncness {
        return refuse(asyncness.span(), "a tool function is not async: the host does the waiting");
    }
    if let Some(unsafety) = &signature.unsafety {
        return refuse(unsafety.span(), "a tool function is not unsafe");
    }
    if !signature.generics.params.is_empty() {
        return refuse(signature.generics.span(), "a tool function has no generics: its schemas come from its types");
    }
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        return refuse(receiver.span(), "a tool function is a free function");
    }
    if let Some(second) = signature.inputs.iter().nth(1) {
        return refuse(second.span(), "a tool function takes one input: put the arguments into one struct");
    }
    Ok(())
}

/// The doc comment, one line a paragraph line, without the space that follows `///`.
fn description(function: &ItemFn) -> Result<String> {
    let lines: Vec<String> = function.attrs.iter().filter_map(doc_line).collect();
    let text = lines.join("\n").trim().to_owned();
    if text.is_empty() {
        let message = "a tool needs a doc comment: it is the description that a model reads";
        return Err(Error::new(function.sig.ident.span(), message));
    }
    Ok(text)
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(value) = &pair.value else { return None };
    let Lit::Str(line) = &value.lit else { return None };
    let line = line.value();
    pair.path.is_ident("doc").then(|| line.strip_prefix(' ').unwrap_or(&line).to_owned())
}
