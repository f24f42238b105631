//! Contact Addresses for XMPP Services.
//!
//! A form in what a domain says of itself, if the operator has given addresses.

use oc_core::disco::DiscoInfo;
use oc_core::host::{Contacts, HostFeature, HostSettings, HostView};
use oc_core::spec::{Status, Xep};

use crate::dataform::{Field, FieldType, Form, FormType};

/// Type of the form.
pub const FORM: &str = "http://jabber.org/network/serverinfo";

/// XEP-0157
pub static XEP: Xep = Xep {
    number: "0157",
    title: "Contact Addresses for XMPP Services",
    version: "1.1.1",
    status: Status::Complete,
    folder: "contact",
    features: &[],
    note: "",
};

/// Tells whom to turn to.
pub struct ContactAddresses;

impl HostFeature for ContactAddresses {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn active(&self, settings: &HostSettings) -> bool {
        settings.contacts != Contacts::default()
    }

    fn describe(&self, view: &HostView<'_>, info: &mut DiscoInfo) {
        let contacts = &view.settings.contacts;
        let mut form = Form::new(FormType::Result, FORM);
        for (var, addresses) in [
            ("abuse-addresses", &contacts.abuse),
            ("admin-addresses", &contacts.admin),
            ("feedback-addresses", &contacts.feedback),
            ("sales-addresses", &contacts.sales),
            ("security-addresses", &contacts.security),
            ("status-addresses", &contacts.status),
            ("support-addresses", &contacts.support),
        ] {
            if !addresses.is_empty() {
                form = form.with(Field::new(FieldType::ListMulti, var).values(addresses));
            }
        }
        info.forms.push(form.to_element());
    }
}

#[cfg(test)]
mod tests {
    use oc_core::host::{Contacts, HostSettings};
    use oc_core::ns;

    use crate::testing::{Domain, el};

    #[test]
    fn xep_0157_contact_form() {
        let contacts = Contacts {
            abuse: vec!["mailto:abuse@example.org".into(), "xmpp:abuse@example.org".into()],
            status: vec!["https://status.example.org".into()],
            ..Contacts::default()
        };
        let mut domain = Domain::new(HostSettings { contacts, ..HostSettings::default() });
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let query = domain.ask("a@elsewhere.example/r", "get", info).expect("a payload");
        assert_eq!(
            query.child("x", ns::DATA_FORM),
            Some(&el("<x xmlns='jabber:x:data' type='result'>
                <field type='hidden' var='FORM_TYPE'>
                    <value>http://jabber.org/network/serverinfo</value>
                </field>
                <field type='list-multi' var='abuse-addresses'>
                    <value>mailto:abuse@example.org</value>
                    <value>xmpp:abuse@example.org</value>
                </field>
                <field type='list-multi' var='status-addresses'>
                    <value>https://status.example.org</value>
                </field>
            </x>"))
        );
    }

    #[test]
    fn xep_0157_contact_nothing_to_tell() {
        let mut domain = Domain::new(HostSettings::default());
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let query = domain.ask("a@elsewhere.example/r", "get", info).expect("a payload");
        assert!(!query.has_child("x", ns::DATA_FORM));
    }
}
