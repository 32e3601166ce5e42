"""Questions that may hang (a database, a broker, a disk), asked all at once and waited for no longer than a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Bounded(Generic[T]):
    """Named questions, each with a thread of its own.

    A question that still hangs when it is asked again is not asked twice: the threads stay as many as the questions.
    """

    def __init__(self, questions: Mapping[str, Callable[[], T]], seconds: float) -> None:
        self._threads = {name: _Thread(name, question) for name, question in questions.items()}
        self._seconds = seconds

    def ask(self) -> dict[str, T | Exception]:
        """The answer to each, or what it raised; TimeoutError for one that did not answer in time."""
        until = time.monotonic() + self._seconds
        asked = {name: thread.ask() for name, thread in self._threads.items()}
        answers: dict[str, T | Exception] = {}
        for name, future in asked.items():
            answers[name] = _answer(future, until)
        return answers


class _Thread(Generic[T]):
    """Answers one question at a time; whoever asks meanwhile gets the same answer."""

    def __init__(self, name: str, question: Callable[[], T]) -> None:
        self._name = name
        self._question = question
        self._lock = threading.Lock()
        self._asked: SimpleQueue[Future[T]] = SimpleQueue()
        self._last: Future[T] | None = None

    def ask(self) -> Future[T]:
        with self._lock:
            if self._last is None:
                threading.Thread(target=self._work, name=f"asks {self._name}", daemon=True).start()
            if self._last is None or self._last.done():
                self._last = Future()
                self._asked.put(self._last)
            return self._last

    def _work(self) -> None:
        while True:
            future = self._asked.get()
            try:
                answer = self._question()
            except Exception as error:  # it is the answer: whoever asked decides what it means
                future.set_exception(error)
            else:
                future.set_result(answer)


def _answer(future: Future[Any], until: float) -> Any:
    try:
        return future.result(max(0.0, until - time.monotonic()))
    except Exception as error:
        return error
