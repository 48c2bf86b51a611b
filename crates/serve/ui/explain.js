// Why a picture was found: its map, and the words underlined by what they add; a word under the pointer lights its parts.

import { button, el, replace } from "./dom.js";
import * as api from "./api.js";
import { t } from "./i18n.js";

/// The fast map at once, and then with what each word has to do with each part.
export function explanation(like, query, gallery, signal) {
	const place = el("div", { class: "map" }, button("button", t("Show the map"), async () => {
		try {
			for (const method of ["", "fixlip"]) {
				const asked = { like, query, pictures: true, ...(method && { method }), ...(gallery && { gallery }) };
				const { picture, words } = await api.post("/v1/explain", asked, signal);
				const image = el("img", { src: picture, alt: "" });
				const most = Math.max(...words.map(({ weight }) => Math.abs(weight)));
				replace(place, image, ...words.map(({ text: word, weight, picture: own = picture }) => {
					const [light, dark] = [own, picture].map((shown) => () => (image.src = shown));
					const one = el("span", { text: word, class: weight < 0 && "against", tabindex: 0, pointerenter: light, pointerleave: dark, focus: light, blur: dark });
					one.style.borderBottomWidth = `${(6 * Math.abs(weight)) / most}px`;
					return one;
				}));
			}
		} catch (error) {
			if (!signal.aborted) place.append(el("p", { class: "notice", text: error.message }));
		}
	}));
	return place;
}
