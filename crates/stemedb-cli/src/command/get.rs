//! `get`: a record of any type by its id.

use super::{Context, record, record_id};
use crate::{
    args::OneId,
    failure::{Exit, Failure},
    output::Form,
};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &OneId) -> Result<Exit, Failure> {
    let id = record_id(&args.id)?;
    let Some(stored) = context.claims()?.view()?.get(id)? else {
        let text = format!("no record {id} in {}", context.place());
        return Err(Failure::new(Exit::NotFound, text));
    };
    let output = &mut context.output;
    match output.form() {
        Form::Json => record::json(output, &stored, None)?,
        Form::People => record::table(output, &stored)?,
    }
    Ok(Exit::Fine)
}
