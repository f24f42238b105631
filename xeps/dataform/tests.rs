use oc_core::Condition;

use super::*;
use crate::testing::{bare, el, heard};

#[test]
fn xep_0004_protocol_writes_forms() {
    let form = Form::titled("urn:test", "Bot", "Fill out this form")
        .with(Field::new(FieldType::TextSingle, "name").label("Name").required())
        .with(Field::new(FieldType::Boolean, "public").value("1"))
        .with(Field::new(FieldType::ListSingle, "max").options(&["25", "50"]));
    assert_eq!(
        heard(&form.to_element()),
        el("<x xmlns='jabber:x:data' type='form'>
            <title>Bot</title>
            <instructions>Fill out this form</instructions>
            <field type='hidden' var='FORM_TYPE'>
                <value>urn:test</value>
            </field>
            <field type='text-single' var='name' label='Name'>
                <required/>
            </field>
            <field type='boolean' var='public'>
                <value>1</value>
            </field>
            <field type='list-single' var='max'>
                <option label='25'>
                    <value>25</value>
                </option>
                <option label='50'>
                    <value>50</value>
                </option>
            </field>
        </x>")
    );
}

fn submit(fields: &str) -> Result<Submission, oc_core::Reject> {
    Submission::read(&el(&format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")))
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, oc_core::Reject>) -> Condition {
    outcome.expect_err("must be refused").condition
}

#[test]
fn xep_0004_protocol_fieldtypes_are_read() {
    let form = submit(
        "<field var='FORM_TYPE'><value>urn:test</value></field>\
         <field var='name' type='text-single'><value>a</value></field>\
         <field var='on'><value>true</value></field>\
         <field var='off'><value>0</value></field>\
         <field var='who'><value>Juliet@Example.org</value></field>\
         <field var='all'><value>a@b</value><value>c@d</value><value>a@b</value></field>\
         <field type='fixed'><value>no var: only for people</value></field>",
    )
    .expect("a form");
    assert_eq!(form.form_type(), Some("urn:test"));
    assert_eq!(form.required("name"), Ok("a"));
    assert_eq!(form.boolean("on"), Ok(Some(true)));
    assert_eq!(form.boolean("off"), Ok(Some(false)));
    assert_eq!(form.jid("who"), Ok(bare("juliet@example.org")));
    assert_eq!(form.jids("all"), Ok(vec![bare("a@b"), bare("c@d")]));
    assert_eq!(form.text("absent"), Ok(None));
}

#[test]
fn xep_0004_protocol_fieldtypes_wrong_values() {
    let form = submit(
        "<field var='two'><value>a</value><value>b</value></field>\
         <field var='maybe'><value>perhaps</value></field>\
         <field var='who'><value>@</value></field>\
         <field var='full'><value>a@b/c</value></field>",
    )
    .expect("a form");
    assert_eq!(refused(form.text("two")), Condition::BadRequest);
    assert_eq!(refused(form.boolean("maybe")), Condition::BadRequest);
    assert_eq!(refused(form.jid("who")), Condition::JidMalformed);
    assert_eq!(refused(form.jid("full")), Condition::JidMalformed);
    assert_eq!(refused(form.required("absent")), Condition::BadRequest);
}

#[test]
fn xep_0004_empty_or_absent_values() {
    let form = submit("<field var='a'><value/></field><field var='b'/>").expect("a form");
    assert_eq!(form.text("a"), Ok(None));
    assert_eq!(form.text("b"), Ok(None));
}

#[test]
fn xep_0004_protocol_formtypes_only_submit() {
    let form = "<x xmlns='jabber:x:data' type='form'/>";
    assert_eq!(refused(Submission::read(&el(form))), Condition::BadRequest);
    assert_eq!(refused(Submission::read(&el("<x xmlns='urn:other'/>"))), Condition::BadRequest);
    assert_eq!(refused(submit("<field var='a'/><field var='a'/>")), Condition::BadRequest);
    let many: String = (0..200).map(|i| format!("<field var='{i}'/>")).collect();
    assert_eq!(refused(submit(&many)), Condition::BadRequest);
}
