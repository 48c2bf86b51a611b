// Which parts of a query become chips. Their meaning is the server's; nothing but the order of parts is lost.

const PART = /[-+]?(?:\d+(?:\.\d+)?[:：])?(?:"[^"]*"|“[^”]*”|「[^」]*」|[^\s"“「]+)+|["“「]\S*/gu;
const KEYS = new Set(["kind", "before", "after", "ext", "image"]);

/// What a part does: "minus", "plus", "exact", "filter" or null for words. `names` are the gallery's fields.
function kindOf(part, names) {
	if (/^-[^\s-]/u.test(part)) return "minus";
	if (/^\+[^\s+]/u.test(part)) return "plus";
	if (/^("[^"]+"|“[^”]+”|「[^」]+」)$/u.test(part)) return "exact";
	const key = /^([\p{L}\p{N}_]+)[:：]\S/u.exec(part)?.[1].toLowerCase();
	return key && (KEYS.has(key) || names.has(key)) ? "filter" : null;
}

/// A query into chips and the words that stay in the field.
export function split(text, names) {
	const all = (text.match(PART) ?? []).map((part) => ({ kind: kindOf(part, names), text: part }));
	const words = all.filter(({ kind }) => !kind).map((part) => part.text);
	return { parts: all.filter(({ kind }) => kind), words: words.join(" ") };
}

export const join = (parts, words) => [words.trim(), ...parts.map((part) => part.text)].filter(Boolean).join(" ");

/// A chip's text: what stands for minus is drawn, quotes are dropped.
export const label = ({ kind, text }) =>
	kind === "minus" || kind === "plus" ? text.slice(1).replace(/["“”「」]/gu, "") : text;
