//! What judging the conversations of one interface keeps at hand: its groups
//! made ready for each era, and the coverings met so far with what
//! conversations earned under each.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::attribute::case::Before;
use crate::attribute::case::Case;
use crate::attribute::conversation::Conversation;
use crate::attribute::cover::Candidate;
use crate::attribute::cover::Question;
use crate::attribute::covers::Cover;
use crate::attribute::covers::Covers;
use crate::attribute::judge::Bench;
use crate::attribute::knowledge::Endpoint;
use crate::attribute::panel::Panel;
use crate::attribute::usage::Uses;
use crate::collections::HashMap;
use crate::evidence::coverage::HourSet;
use crate::model::EniId;

/// What is at hand at one interface.
pub struct Docket<'c, 'a> {
    /// The interface.
    pub interface_id: EniId,
    /// The same as an endpoint.
    pub local: Endpoint,
    /// Hours in which records were lost.
    pub lost: &'c HourSet,
    /// Everything that interfaces share.
    pub bench: &'c Bench<'a>,
    by_era: &'c dyn Fn(u16) -> Vec<Candidate<'a>>,
    panels: RefCell<HashMap<u16, Rc<Panel<'a>>>>,
    covers: RefCell<Covers>,
}

impl fmt::Debug for Docket<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docket")
            .field("interface_id", &self.interface_id)
            .finish_non_exhaustive()
    }
}

impl<'c, 'a> Docket<'c, 'a> {
    /// Nothing at hand yet. `by_era` gives the snapshots that may be in force in
    /// an era.
    #[must_use]
    pub fn new(
        interface_id: EniId,
        lost: &'c HourSet,
        bench: &'c Bench<'a>,
        by_era: &'c dyn Fn(u16) -> Vec<Candidate<'a>>,
    ) -> Docket<'c, 'a> {
        Docket {
            interface_id,
            local: bench.endpoints.of(interface_id),
            lost,
            bench,
            by_era,
            panels: RefCell::default(),
            covers: RefCell::default(),
        }
    }

    /// A conversation with what is needed to judge it; `earlier` is the same
    /// one in the latest era before in which it passed.
    #[must_use]
    pub fn case<'s>(
        &'s self,
        conversation: &'s Conversation,
        earlier: Option<&'s Conversation>,
    ) -> Case<'s, 'a> {
        let before = earlier.map(|conversation| Before {
            conversation,
            panel: self.panel(conversation.key.era),
        });
        let panel = self.panel(conversation.key.era);
        Case::new(conversation, before, panel, self)
    }

    /// What covered a question at a panel.
    #[must_use]
    pub fn cover(&self, panel: &Panel<'_>, question: &Question<'_>) -> Rc<Cover> {
        let mut covers = self.covers.borrow_mut();
        covers.ask(panel, question, self.bench.table)
    }

    /// What all conversations earned for the rules.
    #[must_use]
    pub fn uses(&self) -> Uses {
        self.covers.borrow().uses()
    }

    fn panel(&self, era: u16) -> Rc<Panel<'a>> {
        let mut panels = self.panels.borrow_mut();
        if let Some(panel) = panels.get(&era) {
            return Rc::clone(panel);
        }
        let number = u64::try_from(panels.len()).unwrap_or(u64::MAX);
        let panel = Rc::new(Panel::new(number, (self.by_era)(era)));
        panels.insert(era, Rc::clone(&panel));
        panel
    }
}
