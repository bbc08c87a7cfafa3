//! The rules of who can do what, by definition: each rule looks at lists of past steps, never at a database.

/// Maximum number of issuers above a token.
pub(super) const MAX_LINKS: usize = 8;
/// Time within which a request is open, in seconds.
const LAPSES_AFTER: u64 = 24 * 60 * 60;
const TWO: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Admin,
    Operator,
    Auditor,
    Gateway,
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::Admin, Self::Operator, Self::Auditor, Self::Gateway];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Gateway => "gateway",
        }
    }
}

/// A token: its issue, and its owner.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) parent: usize,
    pub(super) role: Role,
    /// The one label that it sees; without one, it sees everything.
    pub(super) env: Option<&'static str>,
    /// Seconds on the test's clock.
    pub(super) expiry: Option<u64>,
    pub(super) revoked: bool,
    pub(super) person: Option<usize>,
    pub(super) enrolled: bool,
    pub(super) renewed: bool,
    /// Time when its parent issued it.
    pub(super) issued: u64,
    /// Tokens that it issued up to this time have ended with it.
    pub(super) cut: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) created: u64,
    pub(super) removed: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wish {
    /// Enrols a token for a person, or for a new person with this name.
    Enrol {
        name: &'static str,
        person: Option<usize>,
        subject: usize,
        secret: String,
    },
    Remove(usize),
    /// Disables a key version that is needed.
    Disable,
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) wish: Wish,
    pub(super) requester: usize,
    pub(super) created: u64,
    /// The person who approved. A wish about people is then carried out; one about a key waits to be used.
    pub(super) approver: Option<usize>,
    pub(super) used: bool,
}

/// The first token is the first admin's, and is its own parent.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) tokens: Vec<Token>,
    pub(super) people: Vec<Person>,
    pub(super) requests: Vec<Request>,
    pub(super) seconds: u64,
}

impl Model {
    pub(super) fn is_over(&self, token: &Token) -> bool {
        token.revoked || token.expiry.is_some_and(|expiry| expiry <= self.seconds)
    }

    /// The ended tokens: those that ended themselves, then repeatedly those whose parent has ended, or had ended before
    /// it was reissued, until there are no more.
    pub(super) fn ended(&self) -> Vec<bool> {
        let mut ended: Vec<bool> = self.tokens.iter().map(|token| self.is_over(token)).collect();
        let mut found = true;
        while found {
            found = false;
            for (at, token) in self.tokens.iter().enumerate() {
                let parent = &self.tokens[token.parent];
                let is_cut = at != 0 && parent.cut.is_some_and(|cut| token.issued <= cut);
                if !ended[at] && (ended[token.parent] || is_cut || self.depth(at) > MAX_LINKS) {
                    ended[at] = true;
                    found = true;
                }
            }
        }
        ended
    }

    pub(super) fn depth(&self, mut at: usize) -> usize {
        let mut depth = 0;
        while at != 0 {
            at = self.tokens[at].parent;
            depth += 1;
        }
        depth
    }

    pub(super) fn is_above(&self, above: usize, mut at: usize) -> bool {
        while at != above && at != 0 {
            at = self.tokens[at].parent;
        }
        at == above
    }

    /// Whether it is an admin token without selectors, which rules over the whole deployment.
    pub(super) fn rules(&self, at: usize) -> bool {
        self.tokens[at].role == Role::Admin && self.tokens[at].env.is_none()
    }

    /// Whether `issuer` has every right of a token with `role` and `env`.
    pub(super) fn grants(&self, issuer: usize, role: Role, env: Option<&str>) -> bool {
        let own = &self.tokens[issuer];
        let has_role = own.env.is_none() || role == Role::Gateway;
        own.role == Role::Admin && has_role && (own.env.is_none() || own.env == env)
    }

    /// The person that a token acts for.
    pub(super) fn acts_for(&self, at: usize) -> Option<usize> {
        let token = &self.tokens[at];
        let person = token.person.filter(|_| token.renewed || !token.enrolled)?;
        (!self.people[person].removed).then_some(person)
    }

    pub(super) fn live(&self) -> Vec<usize> {
        (0..self.people.len()).filter(|at| !self.people[*at].removed).collect()
    }

    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.live().into_iter().find(|at| self.people[*at].name == name)
    }

    pub(super) fn is_open(&self, request: &Request) -> bool {
        !request.used && self.seconds < request.created + LAPSES_AFTER
    }

    /// Whether `token` may approve, and the requested change is still possible.
    pub(super) fn approves(&self, token: usize, request: &Request) -> bool {
        let independent = self.acts_for(token).is_some_and(|person| {
            person != request.requester && self.people[person].created < request.created
        });
        let is_approved = self.is_approved(request);
        self.rules(token) && independent && !is_approved && self.is_open(request) && self.fits(request)
    }

    /// Whether a person approved it who was not removed since.
    pub(super) fn is_approved(&self, request: &Request) -> bool {
        request.approver.is_some_and(|person| !self.people[person].removed)
    }

    fn fits(&self, request: &Request) -> bool {
        let asker = !self.people[request.requester].removed;
        match &request.wish {
            Wish::Disable => true,
            Wish::Remove(person) => asker && !self.people[*person].removed && self.live().len() > TWO,
            Wish::Enrol { name, person, subject, secret } => {
                let free = match person {
                    Some(person) => !self.people[*person].removed,
                    None => self.named(name).is_none(),
                };
                // The new secret may have another holder.
                let is_the_same = self.tokens[*subject].secret == *secret;
                asker && free && is_the_same && self.can_be_enrolled(*subject)
            }
        }
    }

    /// Whether a token is valid, can approve, and is not enrolled for an existing person.
    pub(super) fn can_be_enrolled(&self, subject: usize) -> bool {
        let token = &self.tokens[subject];
        let owned = token.enrolled && token.person.is_some_and(|person| !self.people[person].removed);
        !self.ended()[subject] && self.rules(subject) && !owned
    }

    pub(super) fn are_first(&self) -> bool {
        self.people.len() < TWO
    }

    pub(super) fn enrol(&mut self, name: &'static str, person: Option<usize>, subject: usize) {
        let person = person.unwrap_or_else(|| {
            self.people.push(Person { name, created: self.seconds, removed: false });
            self.people.len() - 1
        });
        let token = &mut self.tokens[subject];
        (token.person, token.enrolled, token.renewed) = (Some(person), true, false);
    }
}
