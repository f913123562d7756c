//! Which words are signs of an attack, and with which words does any phrase start?
//!
//! English only, and signs only: what is said in other words, in another language or in code is not found.

use super::FindingKind;

/// A phrase: what it is a sign of, how sure, and its steps.
pub(super) struct Phrase {
    pub(super) kind: FindingKind,
    pub(super) confidence: u16,
    pub(super) steps: &'static [&'static [&'static str]],
}

/// A phrase.
pub(super) const fn phrase(
    kind: FindingKind,
    confidence: u16,
    steps: &'static [&'static [&'static str]],
) -> Phrase {
    Phrase {
        kind,
        confidence,
        steps,
    }
}

const IGNORE: &[&str] = &[
    "ignore",
    "disregard",
    "forget",
    "override",
    "bypass",
    "skip",
    "drop",
];
const EARLIER: &[&str] = &[
    "previous",
    "prior",
    "above",
    "earlier",
    "preceding",
    "former",
    "original",
    "system",
    "your",
];
const ORDERS: &[&str] = &[
    "instructions",
    "instruction",
    "rules",
    "prompt",
    "prompts",
    "directions",
    "guidelines",
    "orders",
    "directives",
    "constraints",
    "programming",
];
const SHOW: &[&str] = &[
    "reveal", "show", "print", "repeat", "output", "display", "leak", "tell", "give", "recite",
];

/// The words that phrases start with, sorted.
pub(super) const FIRST_WORDS: &[&str] = &[
    "act",
    "activate",
    "actual",
    "answer",
    "behave",
    "best",
    "bypass",
    "carry",
    "child",
    "display",
    "disregard",
    "do",
    "drop",
    "easiest",
    "enable",
    "enter",
    "erotic",
    "explain",
    "forget",
    "give",
    "going",
    "gonna",
    "guide",
    "how",
    "i'll",
    "ignore",
    "instructions",
    "leak",
    "minor",
    "naked",
    "new",
    "no",
    "nude",
    "output",
    "override",
    "painless",
    "plan",
    "planning",
    "porn",
    "pornographic",
    "preteen",
    "pretend",
    "print",
    "real",
    "recipe",
    "recite",
    "repeat",
    "respond",
    "reveal",
    "sexual",
    "sexually",
    "show",
    "skip",
    "steps",
    "teach",
    "tell",
    "tutorial",
    "underage",
    "want",
    "what",
    "will",
    "without",
    "you",
];

/// Attempts to take over the model.
pub(super) const ATTACKS: &[Phrase] = &[
    phrase(FindingKind::InstructionOverride, 900, &[IGNORE, EARLIER, ORDERS]),
    phrase(
        FindingKind::InstructionOverride,
        800,
        &[IGNORE, &["all", "any", "these", "those"], ORDERS],
    ),
    phrase(
        FindingKind::InstructionOverride,
        800,
        &[&["disregard"], &["above", "previous"]],
    ),
    phrase(
        FindingKind::InstructionOverride,
        750,
        &[&["do"], &["not"], &["follow", "obey"], EARLIER, ORDERS],
    ),
    phrase(
        FindingKind::InstructionOverride,
        750,
        &[
            &["new", "real", "actual"],
            &["instructions", "task"],
            &["are", "is", "follow", "override"],
        ],
    ),
    phrase(
        FindingKind::RoleTakeover,
        700,
        &[
            &["you"],
            &["are"],
            &["now"],
            &["dan", "jailbroken", "unrestricted", "unfiltered", "evil"],
        ],
    ),
    phrase(
        FindingKind::RoleTakeover,
        850,
        &[
            &["act", "behave", "respond", "answer"],
            &["as"],
            &["dan", "jailbroken", "unrestricted", "unfiltered"],
        ],
    ),
    phrase(
        FindingKind::RoleTakeover,
        700,
        &[
            &["pretend"],
            &["you"],
            &["no", "not", "unrestricted", "without"],
            &[
                "rules",
                "restrictions",
                "filters",
                "limits",
                "guidelines",
                "bound",
            ],
        ],
    ),
    phrase(
        FindingKind::RoleTakeover,
        800,
        &[
            &["enable", "enter", "activate"],
            &["developer", "debug", "god", "jailbreak", "dan"],
            &["mode"],
        ],
    ),
    phrase(
        FindingKind::RoleTakeover,
        750,
        &[
            &["without", "no"],
            &["any", "ethical", "moral", "safety", "content"],
            &["restrictions", "filters", "guidelines", "limitations"],
            &["answer", "respond", "comply"],
        ],
    ),
    phrase(
        FindingKind::PromptLeak,
        850,
        &[
            SHOW,
            &["system", "hidden", "initial", "secret", "original"],
            &["prompt", "instructions", "message", "rules"],
        ],
    ),
    phrase(
        FindingKind::PromptLeak,
        750,
        &[SHOW, &["your"], &["prompt", "instructions", "guidelines"]],
    ),
    phrase(
        FindingKind::PromptLeak,
        700,
        &[
            &["what"],
            &["is", "are", "were"],
            &["your"],
            &["system", "initial", "hidden", "original"],
            &["prompt", "instructions"],
        ],
    ),
    phrase(
        FindingKind::PromptLeak,
        800,
        &[
            SHOW,
            &["everything", "text", "words", "all"],
            &["above", "before"],
        ],
    ),
];

/// Marks of turns: as written, whether only at the start, and how sure.
pub(super) const MARKS: &[(&[u8], bool, u16)] = &[
    (b"<|im_start|>", false, 950),
    (b"<|im_end|>", false, 950),
    (b"<|endoftext|>", false, 900),
    (b"<|system|>", false, 950),
    (b"<<SYS>>", false, 950),
    (b"[/INST]", false, 950),
    (b"[INST]", false, 950),
    (b"[system](#", false, 850),
    (b"system prompt:", false, 750),
    (b"system:", true, 700),
    (b"human:", true, 650),
    (b"assistant:", true, 650),
];
