// The state of a query and the address that holds it: whoever opens the address sees the same answer. Of a picture of the
// user's own it has the key under which the server keeps it.

import { session } from "./dom.js";

const text = (value) => value ?? "";
const id = (value) => (/^\d{1,15}$/u.test(value ?? "") ? Number(value) : null);
const share = (otherwise) => (value) => (value && value >= 0 && value <= 1 ? Number(value) : otherwise);
// Also what is no key: the server says that it has no such picture.
const picture = (key) => (key ? { key, url: session.get(`image.${key}`) ?? `/v1/pictures/${encodeURIComponent(key)}` } : null);
const one = (...choices) => (value) => (choices.includes(value) ? value : choices[0]);

/// How each value is read from the address; null gives what it is by default.
const PLAIN = {
	q: text, // in the query language
	like: id, // an item
	image: picture, // of the user's
	weight: share(0.5), // of picture or item against words
	kind: one("image", "text"),
	sort: one("relevance", "date"),
	min: share(0), // the threshold of scores
	words: one("off", "fuse"), // whether wording counts too
	again: one("off", "on"), // whether the first hits are looked at again
	fold: one("on", "off"), // near-duplicates into one
	gallery: text,
	versus: text, // a gallery to compare with
	removed: one("", "only"), // what was removed instead
	item: id, // the one that is open
};

function fromAddress() {
	const params = new URLSearchParams(location.search);
	const filters = params.getAll("f").map((text) => /^([^=]+)=(.+)$/su.exec(text)).filter(Boolean);
	return {
		...Object.fromEntries(Object.entries(PLAIN).map(([name, read]) => [name, read(params.get(name))])),
		filters: filters.map(([, name, value]) => ({ name, value })),
	};
}

export function toAddress(state) {
	const params = new URLSearchParams();
	for (const [name, read] of Object.entries(PLAIN)) if (state[name] !== read(null)) params.set(name, state[name].key ?? state[name]);
	for (const { name, value } of state.filters) params.append("f", `${name}=${value}`);
	return params.size ? `/?${params}` : "/";
}

export const hasQuery = (state) => Boolean(state.q.trim() || state.like !== null || state.image);
export const isMixed = (state) => Boolean(state.q.trim() && (state.like !== null || state.image));

/// A value as the filter language reads it: plain numbers and dates bare, so that they are compared as such.
const quoted = (value) => `"${value.replace(/["\\]/gu, "\\$&")}"`;
const literal = (value) => (/^(-?(0|[1-9]\d*)(\.\d+)?|\d{4}-\d\d(-\d\d)?)$/u.test(value) ? value : quoted(value));

/// All filters as one expression, but for those on the field `except`: its own counts must not shrink by them.
export function whereOf({ filters }, except = null) {
	const byName = Map.groupBy(filters.filter(({ name }) => name !== except), ({ name }) => name);
	const clause = ([name, own]) => {
		// A path with a sign at its end is that folder and what is below.
		const trees = own.filter(({ value }) => name === "folder" && /.[/\\]$/u.test(value));
		const all = trees.map(({ value }) => `folder = ${quoted(value.slice(0, -1))} OR folder STARTS WITH ${quoted(value)}`);
		const others = own.filter((filter) => !trees.includes(filter)).map(({ value }) => literal(value));
		if (others.length) all.push(`${quoted(name)} IN (${others.join(", ")})`);
		return `(${all.join(" OR ")})`;
	};
	return [...byName].map(clause).join(" AND ");
}

let state = null;
let listener = null;
let isTyping = false;

export const NO_QUERY = { q: "", like: null, image: null };
export const ALL = { ...NO_QUERY, item: null, filters: [], removed: "", min: 0 };
export const current = () => state;

export function start(changed) {
	listener = changed;
	history.scrollRestoration = "manual";
	const read = () => {
		isTyping = false;
		state = fromAddress();
		listener(state);
	};
	addEventListener("popstate", read);
	read();
}

/// Changes what is asked. Other scores make a threshold meaningless, and an open item is not of another answer.
export function change(changes, how) {
	const isOther = ["like", "image", "kind", "gallery"].some((name) => name in changes);
	const isQuery = changes.q || changes.like || changes.image || changes.filters?.length;
	set({ ...(isOther && { item: null, min: 0 }), ...(isQuery && { removed: "" }), ...changes }, how);
}

/// Changes the state. `how` is "push" for a step that the back button undoes, "replace", or "type" while somebody types or
/// drags: that pushes once and then replaces, until something else happens or `settle` is called.
export function set(changes, how = "push") {
	state = { ...state, ...changes };
	const replace = how === "replace" || (how === "type" && isTyping);
	if (how !== "replace") isTyping = how === "type";
	const opened = replace ? history.state?.opened : changes.item != null;
	history[replace ? "replaceState" : "pushState"]({ opened }, "", toAddress(state));
	listener(state);
}

export const settle = () => (isTyping = false);

/// Closes the open item: by going back where that is how it was opened, so that forward opens it again.
export function closeItem() {
	if (history.state?.opened) history.back();
	else set({ item: null }, "replace");
}
