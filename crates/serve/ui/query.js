// The query language, as far as the page shows it: which parts of a query become chips. The server alone gives them
// their meaning; putting a query apart and together again loses nothing but the order of its parts.

const PART = /[-+]?(?:\d+(?:\.\d+)?[:：])?(?:"[^"]*"|“[^”]*”|「[^」]*」|[^\s"“「]+)+|["“「]\S*/gu;
const KEYS = new Set(["kind", "before", "after", "ext", "image"]);

/// What a part does: "minus", "plus", "exact", "filter" or null for words. `names` are the gallery's fields.
export function kindOf(part, names = KEYS) {
	if (/^-[^\s-]/u.test(part)) return "minus";
	if (/^\+[^\s+]/u.test(part)) return "plus";
	if (/^("[^"]+"|“[^”]+”|「[^」]+」)$/u.test(part)) return "exact";
	const key = /^([\p{L}\p{N}_]+)[:：]\S/u.exec(part)?.[1].toLowerCase();
	return key && (KEYS.has(key) || names.has(key)) ? "filter" : null;
}

/// A query into chips and the words that stay in the field.
export function split(text, names) {
	const parts = [];
	const words = [];
	for (const part of text.match(PART) ?? []) {
		const kind = kindOf(part, names);
		if (kind) parts.push({ kind, text: part });
		else words.push(part);
	}
	return { parts, words: words.join(" ") };
}

/// And together again.
export const join = (parts, words) => [words.trim(), ...parts.map((part) => part.text)].filter(Boolean).join(" ");

/// A chip's text: what stands for minus is drawn, quotes are dropped.
export function label(part) {
	if (part.kind === "minus") return part.text.slice(1).replace(/^["“「]|["”」]$/gu, "");
	if (part.kind === "plus") return part.text.replace(/^\+/u, "").replace(/["“”「」]/gu, "");
	return part.text;
}
