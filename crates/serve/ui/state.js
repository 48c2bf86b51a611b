// The state of a query and the address that holds it: whoever opens the address sees the same answer. Only a picture
// of the user's own is not in it; it lives in the session and is named by the history entry.

import { session } from "./dom.js";

const DEFAULTS = {
	q: "", // in the query language
	like: null, // an item's id
	image: null, // { key, url }: a picture of the user's
	weight: 0.5, // of picture or item against words
	filters: [], // [{ name, sign, value }]
	where: "", // a filter as it was typed
	kind: "image",
	sort: "relevance",
	min: 0, // the threshold of scores
	words: "off",
	gallery: "",
	item: null, // the item that is open
};

const share = (text, otherwise) => (text >= 0 && text <= 1 && text ? Number(text) : otherwise);
const id = (text) => (/^\d{1,15}$/u.test(text ?? "") ? Number(text) : null);
const one = (text, ...choices) => (choices.includes(text) ? text : choices[0]);

function filter(text) {
	const [, name, sign, value] = /^(.+?)(>=|<=|=)(.*)$/su.exec(text) ?? [];
	return value ? { name, sign, value } : null;
}

export function fromAddress(search, entry) {
	const params = new URLSearchParams(search);
	const url = entry?.image ? session.get(`image.${entry.image}`) : null;
	return {
		q: params.get("q") ?? "",
		like: id(params.get("like")),
		image: url && { key: entry.image, url },
		weight: share(params.get("weight"), DEFAULTS.weight),
		filters: params.getAll("f").map(filter).filter(Boolean),
		where: params.get("where") ?? "",
		kind: one(params.get("kind"), "image", "text"),
		sort: one(params.get("sort"), "relevance", "date"),
		min: share(params.get("min"), DEFAULTS.min),
		words: one(params.get("words"), "off", "fuse", "exact"),
		gallery: params.get("gallery") ?? "",
		item: id(params.get("item")),
	};
}

export function toAddress(state) {
	const params = new URLSearchParams();
	const plain = ["q", "like", "where", "kind", "sort", "min", "words", "gallery", "item"];
	for (const name of plain) if (state[name] !== DEFAULTS[name]) params.set(name, state[name]);
	if (isMixed(state) && state.weight !== DEFAULTS.weight) params.set("weight", state.weight);
	for (const { name, sign, value } of state.filters) params.append("f", name + sign + value);
	const text = params.toString();
	return text ? `/?${text}` : "/";
}

export const hasQuery = (state) => Boolean(state.q.trim() || state.like !== null || state.image);
export const isMixed = (state) => Boolean(state.q.trim() && (state.like !== null || state.image));

const quoted = (text) => `"${text.replace(/["\\]/gu, "\\$&")}"`;
/// A value as the filter language reads it: plain numbers and dates bare, so that they are compared as such.
const literal = (value) =>
	/^(-?(0|[1-9]\d*)(\.\d+)?|\d{4}-\d\d(-\d\d)?)$/u.test(value) ? value : quoted(value);

/// All filters as one expression, but for those on the field `except`: its own counts must not shrink by them.
export function whereOf(state, except = null) {
	const clauses = [];
	const names = new Set(state.filters.map((filter) => filter.name));
	names.delete(except);
	for (const name of names) {
		const own = state.filters.filter((filter) => filter.name === name);
		const values = own.filter(({ sign }) => sign === "=").map(({ value }) => literal(value));
		if (values.length === 1) clauses.push(`${quoted(name)} = ${values[0]}`);
		if (values.length > 1) clauses.push(`${quoted(name)} IN (${values.join(", ")})`);
		for (const { sign, value } of own) if (sign !== "=") clauses.push(`${quoted(name)} ${sign} ${literal(value)}`);
	}
	const typed = state.where.trim();
	if (typed) clauses.push(clauses.length ? `(${typed})` : typed);
	return clauses.join(" AND ");
}

let state = DEFAULTS;
let listener = () => {};

export const NO_QUERY = { q: "", like: null, image: null };
export const current = () => state;

/// Calls `changed(state)` now and after each change, also those by the back button.
export function start(changed) {
	listener = changed;
	history.scrollRestoration = "manual";
	const read = () => {
		state = fromAddress(location.search, history.state);
		listener(state);
	};
	addEventListener("popstate", read);
	read();
}

/// Changes the state. `how` is "push" for a step that the back button undoes, or "replace". While somebody types or drags,
/// one step is enough: "type" pushes once and then replaces until something else happens or `settle` is called.
export function set(changes, how = "push") {
	state = { ...state, ...changes };
	const typing = how === "type";
	const replace = how === "replace" || (typing && history.state?.typing);
	const entry = {
		image: state.image?.key,
		typing: replace && !typing ? history.state?.typing : typing,
		opened: replace ? history.state?.opened : changes.item != null,
	};
	history[replace ? "replaceState" : "pushState"](entry, "", toAddress(state));
	listener(state);
}

/// The query that is typed is done: the next letter begins a new step of the history.
export function settle() {
	if (history.state?.typing) history.replaceState({ ...history.state, typing: false }, "");
}

/// Closes the open item: by going back where that is how it was opened, so that forward opens it again.
export function closeItem() {
	if (history.state?.opened) history.back();
	else set({ item: null }, "replace");
}
