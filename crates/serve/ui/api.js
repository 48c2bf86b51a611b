// The server's HTTP API: requests, and what goes wrong with them in plain words.
//
// Where the server wants keys, the browser has asked for one before it got this page, and sends it with pictures too. One that
// may write is asked for here, once, and sent with requests until the tab is closed.

import { page, session } from "./dom.js";
import { t } from "./i18n.js";
import { ask } from "./widgets.js";

/// What was refused, with the words to show.
const problem = (title, detail, status, type) => Object.assign(new Error(detail), { title: t(title), status, type });

let asking = null; // many requests, one question

/// Asks for a key; tells whether one was given.
export async function askKey(note) {
	asking ??= ask(t("Key"), { note, type: "password" });
	const given = await asking;
	if (given) session.set("key", given.text);
	return Boolean(given);
}

/// Lets the next refusal ask for a key again.
export function forgetKey() {
	session.set("key", null);
	asking = null;
}

async function request(method, path, body, signal) {
	const headers = { "Accept-Language": page.lang };
	if (body) headers["Content-Type"] = "application/json";
	const key = session.get("key");
	// Keys may have any letters, headers only some.
	if (key) headers.Authorization = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`:${key}`)))}`;
	try {
		const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
		if (response.ok) return await response.json();
		const { status } = response;
		const { detail = `HTTP ${status}`, type, title } = await response.json().catch(() => ({}));
		if ((status === 401 || status === 403) && (await askKey(detail)) && session.get("key") !== key) {
			return await request(method, path, body, signal);
		}
		throw problem(type?.endsWith("picture-gone") ? title : status === 429 || status === 503 ? "The server is busy" : "The server cannot do this", detail, status, type);
	} catch (error) {
		if (error.title || error.name === "AbortError") throw error;
		throw problem("The server does not answer", t("Is tuwen serve still running, and is this device on its network?"));
	}
}

export function address(path, values = {}) {
	const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
	return kept.length ? `${path}?${new URLSearchParams(kept)}` : path;
}
export const get = (path, values, signal) => request("GET", address(path, values), undefined, signal);
export const post = (path, body, signal) => request("POST", path, body, signal);
export const remove = (path, body) => request("DELETE", path, body);

/// An item's thumbnail and file, where no hit has told.
export const thumbnailOf = (id, gallery, side) => address(`/v1/items/${id}/thumbnail`, { gallery, side });
export const imageOf = (id, gallery) => address(`/v1/items/${id}/image`, { gallery });
