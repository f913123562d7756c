//! Which words are signs of harm or of an attack?
//!
//! English only, and signs only: what is said in other words, in another language or in code is not found.

use super::FindingKind;

/// A phrase: what it is a sign of, how sure, and its steps.
pub(super) struct Phrase {
    pub(super) kind: FindingKind,
    pub(super) confidence: u16,
    pub(super) steps: &'static [&'static [&'static str]],
}

const fn phrase(kind: FindingKind, confidence: u16, steps: &'static [&'static [&'static str]]) -> Phrase {
    Phrase {
        kind,
        confidence,
        steps,
    }
}

const HOW: &[&str] = &[
    "how",
    "instructions",
    "guide",
    "recipe",
    "steps",
    "tutorial",
    "teach",
    "explain",
];
const MAKE: &[&str] = &[
    "make",
    "making",
    "build",
    "building",
    "create",
    "synthesize",
    "synthesise",
    "cook",
    "assemble",
];
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

/// What is looked for.
pub(super) const PHRASES: &[Phrase] = &[
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
    phrase(
        FindingKind::SelfHarm,
        800,
        &[
            HOW,
            &["kill", "hurt", "harm", "hang", "cut"],
            &["myself", "yourself", "oneself"],
        ],
    ),
    phrase(
        FindingKind::SelfHarm,
        700,
        &[
            &["want", "going", "plan", "planning"],
            &["kill", "hurt", "end", "harm"],
            &["myself", "life"],
        ],
    ),
    phrase(
        FindingKind::SelfHarm,
        750,
        &[HOW, &["commit", "committing"], &["suicide"]],
    ),
    phrase(
        FindingKind::SelfHarm,
        700,
        &[
            &["painless", "easiest", "best"],
            &["way", "ways", "method", "methods"],
            &["die", "suicide"],
        ],
    ),
    phrase(
        FindingKind::SelfHarm,
        850,
        &[&["you"], &["should", "must"], &["kill"], &["yourself"]],
    ),
    phrase(
        FindingKind::Violence,
        750,
        &[
            HOW,
            &["kill", "murder", "poison", "stab", "strangle", "kidnap"],
            &[
                "someone", "somebody", "him", "her", "them", "people", "person", "wife", "husband",
            ],
        ],
    ),
    phrase(
        FindingKind::Violence,
        800,
        &[
            &["i'll", "will", "gonna", "going"],
            &["kill", "murder", "shoot", "stab"],
            &["you", "him", "her", "them", "everyone"],
        ],
    ),
    phrase(
        FindingKind::Violence,
        700,
        &[
            &["plan", "planning", "carry"],
            &["mass", "school", "terrorist"],
            &["shooting", "attack"],
        ],
    ),
    phrase(
        FindingKind::Weapons,
        800,
        &[
            HOW,
            MAKE,
            &[
                "bomb",
                "bombs",
                "explosive",
                "explosives",
                "grenade",
                "molotov",
                "napalm",
                "detonator",
            ],
        ],
    ),
    phrase(
        FindingKind::Weapons,
        800,
        &[
            HOW,
            MAKE,
            &["nerve", "mustard", "sarin", "chemical", "biological"],
            &["gas", "agent", "weapon", "weapons"],
        ],
    ),
    phrase(
        FindingKind::Weapons,
        700,
        &[
            HOW,
            MAKE,
            &["untraceable", "ghost", "printed"],
            &["gun", "rifle", "pistol", "firearm"],
        ],
    ),
    phrase(
        FindingKind::SexualMinors,
        900,
        &[
            &[
                "sexual",
                "sexually",
                "erotic",
                "nude",
                "naked",
                "porn",
                "pornographic",
            ],
            &[
                "child", "children", "minor", "minors", "underage", "toddler", "preteen",
            ],
        ],
    ),
    phrase(
        FindingKind::SexualMinors,
        900,
        &[
            &["child", "underage", "minor", "preteen"],
            &["porn", "pornography", "nude", "nudes", "erotica"],
        ],
    ),
    phrase(
        FindingKind::Drugs,
        750,
        &[
            HOW,
            MAKE,
            &[
                "meth",
                "methamphetamine",
                "crystal",
                "heroin",
                "fentanyl",
                "mdma",
                "lsd",
                "crack",
            ],
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
