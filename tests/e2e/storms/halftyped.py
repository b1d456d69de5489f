"""A form in another tab, half typed, while the program is replaced under it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.storms.book import Book
from tests.e2e.storms.ground import open_form
from tests.e2e.world import Phone, pass_lock, until

NOTE = '#visit-form [name="note"]'
HERE = "() => { window.stillHere = true; }"
STILL_HERE = "() => window.stillHere === true"
RELOAD_IS_OFFERED = """() =>
  document.querySelector('#notice-update button')?.textContent.trim() === '刷新'"""
# Through the module of whichever build the tab runs.
DRAFT_HAS = """async ([name, words]) => {
  const drafts = await import('/static/js/offline/drafts.js');
  return JSON.stringify((await drafts.load(name)) ?? null).includes(words);
}"""

# For whoever looks into a draft that is not there: is the store open, and what lies where?
WHERE = """async () => {
  const vault = await import('/static/js/vault/vault.js');
  const drafts = await import('/static/js/offline/drafts.js');
  return {open: Boolean(vault.holding()), drafts: await drafts.names().catch(String),
    databases: (await indexedDB.databases()).map(({name}) => name)};
}"""


class HalfTyped:
    """`words` is what a person has typed so far; no part of it may be lost, and no tab may go by itself."""

    def __init__(self, phone: Phone, patient: str, mark: str) -> None:
        self.phone, self.patient, self.words = phone, patient, ""
        self.page = phone.context.new_page()
        self.heard: list[str] = []
        self.page.on("console", lambda message: self.heard.append(message.text))
        open_form(self.page, patient)
        self.page.evaluate(HERE)
        self.type(f"{mark} 走路")

    def type(self, letters: str) -> None:
        box = self.page.locator(NOTE)
        box.press_sequentially(letters)
        self.words += letters
        box.blur()  # which keeps it at once
        until(self.page, DRAFT_HAS, [f"adl|{self.patient}", self.words])

    def must_stand(self, book: Book) -> None:
        if not self.page.evaluate(STILL_HERE) or self.page.locator(NOTE).input_value() != self.words:
            book.figures.blame("wrong_states", "a half typed form went by itself")

    def reload(self, book: Book) -> None:
        """The tab says that there is a new version; once the person wants it, the text is there again."""
        until(self.page, RELOAD_IS_OFFERED)
        with self.page.expect_navigation():
            self.page.click("#notice-update button")
        pass_lock(self.page)
        self._must_read(book, self.page)

    def after_a_kill(self, book: Book) -> None:
        self._must_read(book, self.phone.page)

    def _must_read(self, book: Book, page: Page) -> None:
        """A fresher page may just be swapped in: then its form reads the draft once more."""
        open_form(page, self.patient)
        try:
            expect(page.locator(NOTE)).to_have_value(self.words)
        except AssertionError:
            found = page.locator(NOTE).input_value()
            words = f"typed {self.words!r}, and there is {found!r}: {page.evaluate(WHERE)} {self.heard}"
            book.figures.blame("lost", words)
        else:
            book.figures.more("drafts kept")
