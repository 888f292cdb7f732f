// SPDX-License-Identifier: Apache-2.0
package org.flexor

import java.nio.charset.StandardCharsets
import java.nio.file.{Files, Paths}

/** A line of a case: its first word and its fields. */
final class Line(val word: String, val fields: List[(String, String)]) {
  private val map = fields.toMap
  def get(key: String): Option[String] = map.get(key)
  def apply(key: String): String = map.getOrElse(key, "")
}

/** The lines of a case. */
final class Case(val lines: List[Line]) {
  def id: String = lines.head("id")
  def find(word: String): Line = lines.find(_.word == word).getOrElse(new Line(word, Nil))
  def all(word: String): List[Line] = lines.filter(_.word == word)
}

/** The shared tables read from Scala; tests/golden/README.md has their form. */
object Cases {
  private def plain(text: String): String = {
    val out = new StringBuilder
    var i = 0
    while (i < text.length) {
      if (text(i) == '\\' && i + 1 < text.length) { i += 1; out += (text(i) match { case 't' => '\t'; case 'n' => '\n'; case c => c }) }
      else out += text(i)
      i += 1
    }
    out.toString
  }
  private def line(row: String): Line = {
    val parts = row.split("\t", -1).toList
    new Line(parts.head, parts.tail.map { p => val at = p.indexOf('='); p.substring(0, at) -> plain(p.substring(at + 1)) })
  }
  def read(path: String): List[Case] = {
    val made = List.newBuilder[Case]
    var open = List.empty[Line]
    def end(): Unit = { if (open.nonEmpty) made += new Case(open.reverse); open = Nil }
    for (row <- new String(Files.readAllBytes(Paths.get(path)), StandardCharsets.UTF_8).split("\n", -1)) if (row.isEmpty) end() else if (!row.startsWith("#")) open ::= line(row)
    end()
    made.result()
  }
  def shape(text: String): Shape = if (text == "-") Shape() else Shape(text.split(",").toSeq.map(_.toLong): _*)
}

/** Attributes as texts, as a call in Scala gives them: numbers, Booleans; what may be several stays a text. */
final class Given(texts: Map[String, String]) {
  def only(names: String*): Boolean = texts.keys.forall(names.contains)
  private def as[A](name: String, otherwise: => A)(read: String => A): A =
    texts.get(name).fold(otherwise)(t => try read(t) catch { case _: IllegalArgumentException => throw new NotOfItsType(name) })
  private def missing(name: String): Nothing = throw new NotOfItsType(name)
  def long(name: String, otherwise: => Long): Long = as(name, otherwise)(_.toLong)
  def long(name: String): Long = long(name, missing(name))
  def double(name: String, otherwise: => Double): Double = as(name, otherwise)(_.toDouble)
  def double(name: String): Double = double(name, missing(name))
  def boolean(name: String, otherwise: => Boolean): Boolean = as(name, otherwise)(t => if (t == "1") true else if (t == "0") false else t.toLowerCase.toBoolean)
  def boolean(name: String): Boolean = boolean(name, missing(name))
  def string(name: String, otherwise: => String): String = texts.getOrElse(name, otherwise)
  def string(name: String): String = string(name, missing(name))
  def any(name: String, otherwise: => Any): Any = texts.get(name).fold(otherwise)(Settings.Text(_))
  def any(name: String): Any = any(name, missing(name))
}
final class NotOfItsType(name: String) extends RuntimeException(name)
